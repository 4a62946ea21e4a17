package config

import "time"

// MassChange is how much one actor may do to production at a time: beyond it, the policy
// mass-change wants a grant of its own.
type MassChange struct {
	// Limit is how many production objects one actor may delete or weaken within Window,
	// in all namespaces together; 0 is any number.
	Limit *int `yaml:"limit"`
	// Window is how far back is looked.
	Window time.Duration `yaml:"window"`
}

const (
	// defaultMassLimit is above what people do on purpose and below what a loop or a
	// selector that is too wide does: a person deletes a handful of objects by hand, and
	// kubectl delete -f of an application's folder is about ten, with one to spare for
	// trying again in another namespace. Those who delete more regularly, a pipeline that
	// tears down, are few and known.
	defaultMassLimit = 20
	// defaultMassWindow is long enough that going slowly is no way round, at two a minute,
	// and short enough that the work of a morning does not add up.
	defaultMassWindow = 10 * time.Minute

	// maxMassLimit is package pace's: of each actor one entry more than the limit is kept
	// and told to other replicas.
	maxMassLimit = 200
	// minMassWindow is many times what replicas take to tell each other, a second;
	// maxMassWindow is package pace's.
	minMassWindow = time.Minute
	maxMassWindow = 24 * time.Hour
)

func (m *MassChange) complete() {
	or(&m.Limit, new(defaultMassLimit))
	or(&m.Window, defaultMassWindow)
}

func (m MassChange) validate(p *problems) {
	if *m.Limit < 0 || *m.Limit > maxMassLimit {
		p.add("kubernetes.massChange.limit", "%d is not between 0, which is off, and %d", *m.Limit, maxMassLimit)
	}
	if m.Window < minMassWindow || m.Window > maxMassWindow {
		p.add("kubernetes.massChange.window", "%v is not between %v and %v", m.Window, minMassWindow, maxMassWindow)
	}
}
