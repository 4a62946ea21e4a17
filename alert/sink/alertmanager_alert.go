package sink

import (
	"maps"
	"strings"
	"time"

	"github.com/mollyguard/mollyguard/alert"
)

// blindHold is until what keeps Mollyguard from seeing is over, which it will say.
const blindHold = 365 * 24 * time.Hour

// prometheusAlert is a postableAlert of Alertmanager's api/v2/openapi.yaml.
type prometheusAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitzero"`
}

// alertsOf is an alert as it is now and, from the second revision on, the end of what
// it may have been: to Alertmanager another severity or kind is another alert. It
// notifies nobody of the end of an alert that it has not told of.
func (s *Alertmanager) alertsOf(a alert.Alert) []prometheusAlert {
	now := s.post.now()
	start := a.Opened
	if start.After(now) { // an entry may say so, but Alertmanager would wait
		start = now
	}
	labels := labelsOf(a)
	current := prometheusAlert{
		Labels:       labels,
		Annotations:  annotationsOf(a),
		StartsAt:     start,
		EndsAt:       now.Add(s.hold),
		GeneratorURL: firstOf(links(a, 1)),
	}
	switch {
	case a.Status == alert.Resolved:
		current.EndsAt = a.Updated
	case a.Kind == alert.Blind:
		current.EndsAt = now.Add(blindHold)
	}
	current.EndsAt = later(start, current.EndsAt) // the other way round is refused
	all := []prometheusAlert{current}
	if a.Revision <= 1 {
		return all
	}
	for _, kind := range kindsOf(a.Kind) {
		for _, severity := range a.Severity.Values() {
			if kind == a.Kind && severity == string(a.Severity) {
				continue
			}
			former := maps.Clone(labels)
			former["alertname"], former["severity"] = alertName(kind), severity
			all = append(all, prometheusAlert{Labels: former, StartsAt: start, EndsAt: later(start, a.Updated)})
		}
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// kindsOf are the kinds that an incident of this one may have had before.
func kindsOf(k alert.Kind) []alert.Kind {
	switch k {
	case alert.Violation, alert.Notice, alert.Attempt:
		return []alert.Kind{alert.Violation, alert.Notice, alert.Attempt}
	default:
		return []alert.Kind{k}
	}
}

// labelsOf are what routes and inhibitions match, and what tells incidents apart. An
// empty label is no label to Prometheus.
func labelsOf(a alert.Alert) map[string]string {
	labels := map[string]string{
		"alertname": alertName(a.Kind),
		"severity":  string(a.Severity),
		"surface":   string(a.Surface),
		"project":   shown(a.Project),
		"cluster":   shown(a.Cluster),
		"incident":  shown(a.ID),
	}
	maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
	return labels
}

// alertName is MollyguardViolation, MollyguardBreakGlass and the like.
func alertName(k alert.Kind) string {
	name := "Mollyguard"
	for word := range strings.SplitSeq(string(k), "-") {
		if word != "" {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return name
}

func annotationsOf(a alert.Alert) map[string]string {
	annotations := map[string]string{
		"summary":     headline(a),
		"description": Text(a),
		"runbook_url": webURL(a.Runbook),
	}
	maps.DeleteFunc(annotations, func(_, value string) bool { return value == "" })
	return annotations
}

func firstOf(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}
