package alert

import "time"

const (
	// firstPause and maxPause are the ceilings of the pauses after the first failure
	// and after many: one second is what a restart takes, and five minutes after its
	// end nobody waits for the news of an outage.
	firstPause = time.Second
	maxPause   = 5 * time.Minute
	// maxLater bounds what a sink may ask for.
	maxLater = time.Hour
	// patience is for how long an alert is tried.
	patience = 24 * time.Hour
)
