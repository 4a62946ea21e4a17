package config

import (
	"fmt"
	"net"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Audit is about watching the cloud's audit log. It is on if there are sources.
type Audit struct {
	Sources []AuditSource `yaml:"sources"`
	// Silence is how long a source may hand out nothing before people are told.
	Silence time.Duration `yaml:"silence"`
	// Heartbeat is what Mollyguard writes to see that it comes back.
	Heartbeat Heartbeat `yaml:"heartbeat"`
	// Assets says where labels come from.
	Assets Assets `yaml:"assets"`
	// Clusters are the GKE clusters of which objects are to be named as elsewhere.
	Clusters []AuditCluster `yaml:"clusters"`
	// Mappings are files with further tables of methods.
	Mappings []string `yaml:"mappings"`
	// Own are the identities by which Mollyguard reads, OwnNames patterns for the names
	// of the sinks, topics, subscriptions and buckets that it sees by.
	Own      []string `yaml:"own"`
	OwnNames []string `yaml:"ownNames"`
}

// AuditSource is a source of log entries; one of its fields is set.
type AuditSource struct {
	PubSub  *PubSubSource  `yaml:"pubSub"`
	Logging *LoggingSource `yaml:"logging"`
	File    *FileSource    `yaml:"file"`
}

// PubSubSource is a subscription that a log sink feeds.
type PubSubSource struct {
	Project      string `yaml:"project"`
	Subscription string `yaml:"subscription"`
	// Endpoint is for Private Service Connect.
	Endpoint string `yaml:"endpoint"`
}

// LoggingSource is Cloud Logging itself, for what has no log sink.
type LoggingSource struct {
	// Resources are what is read: projects/ID, folders/NUMBER, organizations/NUMBER,
	// or views of log buckets.
	Resources []string `yaml:"resources"`
	// Filter replaces the built-in one.
	Filter   string `yaml:"filter"`
	Endpoint string `yaml:"endpoint"`
}

// FileSource is a file that is followed.
type FileSource struct {
	Path string `yaml:"path"`
}

// Heartbeat says where to write one, if to one of Parent.
type Heartbeat struct {
	// Parent is projects/ID, folders/NUMBER or organizations/NUMBER, one that the log
	// sink takes entries from; empty for no heartbeat.
	Parent string `yaml:"parent"`
	// Log is the id of the log.
	Log      string        `yaml:"log"`
	Interval time.Duration `yaml:"interval"`
	Endpoint string        `yaml:"endpoint"`
}

// Assets is about Cloud Asset Inventory.
type Assets struct {
	// Scopes are projects/ID, folders/NUMBER or organizations/NUMBER; empty for none.
	Scopes          []string      `yaml:"scopes"`
	RefreshInterval time.Duration `yaml:"refreshInterval"`
	Endpoint        string        `yaml:"endpoint"`
	// Feed is the subscription that a feed of the inventory publishes to.
	Feed PubSubSource `yaml:"feed"`
}

// AuditCluster is a GKE cluster.
type AuditCluster struct {
	Project  string `yaml:"project"`
	Location string `yaml:"location"`
	Name     string `yaml:"name"`
	// Cluster is what that cluster's own configuration calls it.
	Cluster string `yaml:"cluster"`
	// Guarded says that a webhook of ours is there: what production loses without its
	// decision is told.
	Guarded     bool   `yaml:"guarded"`
	Namespace   string `yaml:"namespace"`
	WebhookName string `yaml:"webhookName"`
}

func (c *Configuration) completeAudit() {
	a := &c.Audit
	or(&a.Silence, 15*time.Minute)
	or(&a.Heartbeat.Log, "mollyguard-heartbeat")
	or(&a.Heartbeat.Interval, time.Minute)
	or(&a.Assets.RefreshInterval, time.Hour)
	if a.OwnNames == nil {
		a.OwnNames = []string{"(.*[-_.])?mollyguard([-_.].*)?"}
	}
	for i := range a.Clusters {
		or(&a.Clusters[i].Cluster, a.Clusters[i].Name)
		or(&a.Clusters[i].Namespace, "mollyguard")
		or(&a.Clusters[i].WebhookName, "mollyguard")
	}
}

var (
	// projectID is what Google takes for one
	// (https://cloud.google.com/resource-manager/docs/creating-managing-projects), with
	// the domain of old ones.
	projectID = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	// resourceID is what Google takes for a topic or subscription
	// (https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names).
	resourceID = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$`)
	scope      = regexp.MustCompile(`^(projects/[a-z0-9.:-]+|folders/[0-9]+|organizations/[0-9]+)$`)
	logView    = regexp.MustCompile(`^(projects/[a-z0-9.:-]+|folders/[0-9]+|organizations/[0-9]+)(/locations/[a-z0-9-]+/buckets/[A-Za-z0-9_.-]+/views/[A-Za-z0-9_.-]+)?$`)
	logID      = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)
)

const (
	minSilence = time.Minute
	// minHeartbeat keeps what heartbeats cost, and bury, small.
	minHeartbeat = 10 * time.Second
	minRefresh   = time.Minute
	// maxFilter is Cloud Logging's own limit (https://cloud.google.com/logging/quotas).
	maxFilter = 20_000
)

func (c *Configuration) validateAudit(p *problems) {
	a := c.Audit
	a.validateSources(p, c.Ledger.Path)
	a.validateHeartbeat(p)
	a.Assets.validate(p)
	for _, endpoint := range []struct{ field, value string }{
		{"audit.assets.endpoint", a.Assets.Endpoint}, {"audit.heartbeat.endpoint", a.Heartbeat.Endpoint},
	} {
		validateEndpoint(p, endpoint.field, endpoint.value)
	}
	validateClusters(p, a.Clusters)
	for i, text := range a.Mappings {
		if text == "" {
			p.add(fmt.Sprintf("audit.mappings[%d]", i), "empty: expected the path of a file")
		}
	}
	for i, text := range a.Own {
		if !strings.Contains(text, "@") && !strings.HasPrefix(text, "principal") {
			p.add(fmt.Sprintf("audit.own[%d]", i), "%q is not the e-mail address of a service account, or a principal://… as bindings of roles name it", text)
		}
	}
	validatePatterns(p, "audit.ownNames", a.OwnNames)
}

func (a Audit) validateSources(p *problems, ledger string) {
	names := map[string]int{}
	for i, source := range a.Sources {
		field := fmt.Sprintf("audit.sources[%d]", i)
		name := source.validate(p, field)
		if before, twice := names[name]; twice && name != "" {
			p.add(field, "the same as audit.sources[%d]", before)
		}
		names[name] = i
	}
	if len(a.Sources) > 0 && ledger == "" {
		p.add("audit.sources", "ledger.path is missing: what is read is forgotten by the source only once it is kept there")
	}
	if a.Silence < minSilence {
		p.add("audit.silence", "%v is below %v", a.Silence, minSilence)
	}
}

func (a Audit) validateHeartbeat(p *problems) {
	h := a.Heartbeat
	if h.Parent == "" {
		return
	}
	matches(p, "audit.heartbeat.parent", h.Parent, scope, "projects/ID, folders/NUMBER or organizations/NUMBER")
	matches(p, "audit.heartbeat.log", h.Log, logID, "the id of a log: letters, digits, dots, dashes and underscores")
	if h.Interval < minHeartbeat || h.Interval > a.Silence/2 {
		p.add("audit.heartbeat.interval", "%v is not between %v and half of audit.silence (%v)", h.Interval, minHeartbeat, a.Silence)
	}
}

func (a Assets) validate(p *problems) {
	for i, text := range a.Scopes {
		matches(p, fmt.Sprintf("audit.assets.scopes[%d]", i), text, scope, "projects/ID, folders/NUMBER or organizations/NUMBER")
	}
	if a.RefreshInterval < minRefresh {
		p.add("audit.assets.refreshInterval", "%v is below %v", a.RefreshInterval, minRefresh)
	}
	if a.Feed != (PubSubSource{}) {
		a.Feed.validate(p, "audit.assets.feed")
	}
}

func validateClusters(p *problems, clusters []AuditCluster) {
	places := map[[3]string]int{}
	for i, cluster := range clusters {
		field := fmt.Sprintf("audit.clusters[%d]", i)
		place := [3]string{cluster.Project, cluster.Location, cluster.Name}
		if before, twice := places[place]; twice {
			p.add(field, "the same cluster as audit.clusters[%d]", before)
		}
		places[place] = i
		if cluster.Project == "" || cluster.Location == "" || cluster.Name == "" {
			p.add(field, "project, location and name say which cluster it is")
		}
		if !clusterName.MatchString(cluster.Cluster) {
			p.add(field+".cluster", "%q is not a name of 1 to 100 letters, digits, dots, dashes and underscores", cluster.Cluster)
		}
	}
}

// validate returns what tells the source from others.
func (s AuditSource) validate(p *problems, field string) (name string) {
	set := 0
	for _, given := range []bool{s.PubSub != nil, s.Logging != nil, s.File != nil} {
		if given {
			set++
		}
	}
	if set != 1 {
		p.add(field, "one of pubSub, logging and file says what it is")
		return ""
	}
	switch {
	case s.PubSub != nil:
		s.PubSub.validate(p, field+".pubSub")
		return "pubSub " + s.PubSub.Project + "/" + s.PubSub.Subscription
	case s.Logging != nil:
		s.Logging.validate(p, field+".logging")
		return "logging " + strings.Join(s.Logging.Resources, " ")
	}
	if !path.IsAbs(s.File.Path) {
		p.add(field+".file.path", "%q does not begin with a slash", s.File.Path)
	}
	return "file " + s.File.Path
}

func (s PubSubSource) validate(p *problems, field string) {
	matches(p, field+".project", s.Project, projectID, "the id of a project")
	matches(p, field+".subscription", s.Subscription, resourceID, "the id of a subscription, without projects/…/subscriptions/")
	validateEndpoint(p, field+".endpoint", s.Endpoint)
}

func (s LoggingSource) validate(p *problems, field string) {
	if len(s.Resources) == 0 {
		p.add(field+".resources", "missing: what is to be read, such as projects/ID")
	}
	for i, text := range s.Resources {
		matches(p, fmt.Sprintf("%s.resources[%d]", field, i), text, logView, "projects/ID, folders/NUMBER, organizations/NUMBER, or a view of a log bucket")
	}
	if len(s.Filter) > maxFilter {
		p.add(field+".filter", "%d characters, Cloud Logging takes %d", len(s.Filter), maxFilter)
	}
	validateEndpoint(p, field+".endpoint", s.Endpoint)
}

func matches(p *problems, field, text string, pattern *regexp.Regexp, want string) {
	if !pattern.MatchString(text) {
		p.add(field, "%q is not %s", text, want)
	}
}

func validateEndpoint(p *problems, field, text string) {
	if text == "" {
		return
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		p.add(field, "%v: expected HOST:PORT", err)
	} else if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 || host == "" {
		p.add(field, "%q is not of the form HOST:PORT", text)
	}
}
