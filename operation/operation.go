// Package operation holds the words that every other package speaks: an
// operation (one attempt to change something), the decision on it, and the
// values both are made of.
//
// The types are plain data without behaviour that could fail, so that a mapper
// can be a pure function and a decision can be compared, replayed and printed.
// The package imports nothing but the standard library; the JSON Schema that
// policies are compiled against is generated from these types (see InputSchema),
// which is why every field carries a description in its `desc` tag.
package operation

import "time"

// Surface says where an operation was seen.
type Surface string

// The surfaces.
const (
	Kubernetes Surface = "kubernetes"
	GCP        Surface = "gcp"
	Terraform  Surface = "terraform"
)

// Values lists every Surface.
func (Surface) Values() []string {
	return []string{string(Kubernetes), string(GCP), string(Terraform)}
}

// Verb says what an operation does to its target.
type Verb string

// The verbs. All but Update are destructive.
const (
	// Delete removes the target.
	Delete Verb = "delete"
	// Evict removes a pod through the eviction API, which no DELETE review shows.
	Evict Verb = "evict"
	// ScaleToZero leaves the target in place with nothing running.
	ScaleToZero Verb = "scale-to-zero"
	// Unprotect weakens what marks or guards the target: a production label
	// removed, a finalizer dropped, a deletion protection switched off.
	Unprotect Verb = "unprotect"
	// Replace destroys the target and creates another in its place.
	Replace Verb = "replace"
	// Forget drops the target from Terraform's state.
	Forget Verb = "forget"
	// Empty removes all data of a ConfigMap or Secret.
	Empty Verb = "empty"
	// Update changes the target without destroying anything.
	Update Verb = "update"
	// Unknown is what a mapper says when it cannot tell; policies judge it.
	Unknown Verb = "unknown"
)

// Values lists every Verb.
func (Verb) Values() []string {
	return []string{
		string(Delete), string(Evict), string(ScaleToZero), string(Unprotect), string(Replace),
		string(Forget), string(Empty), string(Update), string(Unknown),
	}
}

// Phase says how far an operation has come.
type Phase string

// The phases. Only a Requested operation can still be stopped.
const (
	Requested Phase = "requested"
	Started   Phase = "started"
	Finished  Phase = "finished"
	Failed    Phase = "failed"
	Refused   Phase = "refused"
)

// Values lists every Phase.
func (Phase) Values() []string {
	return []string{string(Requested), string(Started), string(Finished), string(Failed), string(Refused)}
}

// ActorKind says what sort of identity acts.
type ActorKind string

// The kinds of actor.
const (
	Human      ActorKind = "human"
	Service    ActorKind = "service"
	Controller ActorKind = "controller"
	// Agent is an AI or other autonomous agent; configuration says which
	// identities are.
	Agent ActorKind = "agent"
)

// Values lists every ActorKind.
func (ActorKind) Values() []string {
	return []string{string(Human), string(Service), string(Controller), string(Agent)}
}

// Operation is one attempt to change something, as a surface saw it.
//
// An Operation is built by a surface's mapper and completed by the guard
// (Time, Production). It is not changed after that and may be shared.
type Operation struct {
	Surface    Surface      `json:"surface" desc:"where it was seen"`
	Verb       Verb         `json:"verb" desc:"what it does to the target"`
	Phase      Phase        `json:"phase" desc:"how far it has come; only a requested operation can be stopped"`
	Time       time.Time    `json:"time" desc:"when it is judged or, if it was seen afterwards, when it happened; RFC 3339"`
	Actor      Actor        `json:"actor" desc:"who does it"`
	Origin     Origin       `json:"origin" desc:"where the call came from, as far as the surface tells"`
	Target     Target       `json:"target" desc:"what it is done to, as it was before the operation"`
	Production Production   `json:"production" desc:"whether the target or a dependent is production, and because of what"`
	Changes    []string     `json:"changes" desc:"what would change, in words, where the verb alone does not say it"`
	Dependents []Dependents `json:"dependents" desc:"what is lost with the target or fails without it, by kind and by how it depends on it"`
	Volumes    []Volume     `json:"volumes" desc:"volumes whose data goes with the target, those of production first; at most five"`
	Covered    bool         `json:"covered" desc:"true for a pod that a controller will replace, and that a PodDisruptionBudget which is worth something covers: Kubernetes itself sees to it that enough of its like go on"`
	Recent     Recent       `json:"recent" desc:"what else the actor has destroyed or weakened lately"`
	Plan       Plan         `json:"plan" desc:"what the Terraform plan that it is part of does as a whole; zero on other surfaces"`
	Unknown    []string     `json:"unknown" desc:"what could not be learnt about the target; unknown counts as production"`
	DryRun     bool         `json:"dry_run" desc:"true if nothing will be persisted"`
	Mediation  Mediation    `json:"mediation" desc:"whether mollyguard's webhook was asked first; empty where there is none to ask"`
	Source     Source       `json:"source" desc:"the message that the operation was read from"`
	// DecisionID is the id of the decision on it, if the message gives one that is the
	// same whenever it is read; else empty.
	DecisionID string `json:"-"`
	// Also are the other verbs of the same request, if it does several things at
	// once. Policies are asked about each in turn.
	Also []Verb `json:"-"`
	// Presented are the tokens and handles that came with the operation. Policies do
	// not see them, and no record holds them.
	Presented []Secret `json:"-"`
	// Untrusted says in words why the message cannot be believed to come from the
	// surface itself, or is empty. It is judged like any other, but uses up no grant.
	Untrusted string `json:"-"`
}

// Mediation says whether an operation that was seen after the fact had come by the
// webhook of the cluster that it was done in.
type Mediation string

// The mediations. The empty one is of an operation that no webhook guards.
const (
	// Mediated: the webhook decided, and the entry has the id of the decision.
	Mediated Mediation = "mediated"
	// Unmediated: the webhook should have been asked, and there is no decision.
	Unmediated Mediation = "unmediated"
	// FailedOpen: the API server says that the webhook did not answer and that it
	// went on without (audit annotation failed-open.validating.webhook.admission.k8s.io).
	FailedOpen Mediation = "failed-open"
)

// Values lists every Mediation.
func (Mediation) Values() []string {
	return []string{"", string(Mediated), string(Unmediated), string(FailedOpen)}
}

// Verbs lists all that the operation does to its target, Verb first.
func (op *Operation) Verbs() []Verb { return append([]Verb{op.Verb}, op.Also...) }

// Identity is how an actor is shown.
type Identity struct {
	Name string    `json:"name" desc:"user name as the surface authenticated it"`
	Kind ActorKind `json:"kind" desc:"human, service, controller or agent"`
	Via  string    `json:"via" desc:"the tool in use, as far as the surface tells; empty if it does not"`
}

// Actor is who does an operation.
type Actor struct {
	Identity
	UID        string   `json:"uid" desc:"the user's uid, empty if the surface gives none"`
	Groups     []string `json:"groups" desc:"groups of the user"`
	Credential string   `json:"credential" desc:"id of the credential in use (a certificate's digest, a token's jti), empty if the surface gives none"`
}

// Origin is where a call came from.
type Origin struct {
	IP         string   `json:"ip" desc:"address of the caller, empty if the surface does not tell"`
	UserAgent  string   `json:"user_agent" desc:"the whole user agent, as the caller wrote it"`
	Delegation []string `json:"delegation" desc:"who acts through the actor, nearest first: the person behind a service account, as the surface authenticated them"`
	Reason     string   `json:"reason" desc:"what the caller gave as the reason of the request, empty if nothing"`
}

// IsZero reports whether nothing is known.
func (o Origin) IsZero() bool {
	return o.IP == "" && o.UserAgent == "" && len(o.Delegation) == 0 && o.Reason == ""
}

// Reference names one object, and is how a target is shown.
type Reference struct {
	Ref       string `json:"ref" desc:"canonical name, equal on every surface that sees the object: k8s://CLUSTER/GROUP/RESOURCE[/NAMESPACE]/NAME or gcp://SERVICE/PATH"`
	Kind      string `json:"kind" desc:"kind of the object, such as Deployment"`
	Namespace string `json:"namespace" desc:"empty for a cluster-scoped object"`
	Name      string `json:"name" desc:"name of the object"`
	UID       string `json:"uid" desc:"uid of the object, empty if unknown"`
}

// Target is what an operation is done to. Labels are those before the operation.
type Target struct {
	Reference
	Group           string            `json:"group" desc:"API group, empty for core"`
	Resource        string            `json:"resource" desc:"plural resource name, such as deployments"`
	Labels          map[string]string `json:"labels" desc:"labels of the object before the operation"`
	Annotations     map[string]string `json:"annotations" desc:"annotations of the object before the operation; read only if a policy mentions them"`
	NamespaceLabels map[string]string `json:"namespace_labels" desc:"labels of the object's namespace"`
	Cluster         string            `json:"cluster" desc:"name of the cluster, as configured"`
	Project         string            `json:"project" desc:"cloud project or account, empty on Kubernetes"`
	Location        string            `json:"location" desc:"cloud region or zone, empty on Kubernetes"`
	Tags            map[string]string `json:"tags" desc:"resource manager tags by short key, the resource's own and inherited; empty on Kubernetes"`
	ProjectLabels   map[string]string `json:"project_labels" desc:"labels of the cloud project"`
	Ancestors       []string          `json:"ancestors" desc:"what the project is in, nearest first: folders/NUMBER, organizations/NUMBER"`
	Own             bool              `json:"own" desc:"true if mollyguard itself guards or sees with it: its webhook configuration, its log sink, its own access"`
	Controlled      bool              `json:"controlled" desc:"true if a controller owns it, which would make it anew"`
	Ended           bool              `json:"ended" desc:"true for a Job or a pod that has ended for good, and a ReplicaSet at zero that a controller owns: nothing of it runs any more"`
	Passes          string            `json:"passes" desc:"whose steps mollyguard lets through and the operation would give somebody the use of: the name of the exemption, else empty"`
	Address         string            `json:"address" desc:"address in the Terraform configuration, such as module.db.google_sql_database_instance.main; empty on other surfaces"`
	PreviousAddress string            `json:"previous_address" desc:"where the Terraform state has the target, if the plan moves it to address; else empty"`
	Container       bool              `json:"container" desc:"true if others live in it and go with it whether or not they are known: a cluster, project, network, database, bucket or key ring; told for Terraform only"`
	Created         bool              `json:"created" desc:"true if the target is not there yet: the operation makes it, without its protection"`
	Widens          string            `json:"widens" desc:"who applies the Terraform plan and would be given more rights by the operation, else empty"`
	// Within is the canonical name of what the target of an operation belongs to as far as
	// grants go, and a grant for it covers the operation too: the namespace of mollyguard
	// itself for what is its own, the plan for what a Terraform plan does. Empty for all
	// others.
	Within string `json:"-"`
}

// Production says whether something is production, and because of what.
type Production struct {
	Is      bool     `json:"is" desc:"true if the target or a dependent is production"`
	Target  bool     `json:"target" desc:"true if the target is production, or may be, whatever depends on it"`
	Because []string `json:"because" desc:"each reason in words: a label, a namespace, the cluster, a rule, something unknown"`
}

// Plan is what a Terraform plan does as a whole. Every operation of a plan has it.
type Plan struct {
	Workspace   string `json:"workspace" desc:"the Terraform workspace, empty if it is not known"`
	Managed     int    `json:"managed" desc:"how many resources the state holds"`
	Destroys    int    `json:"destroys" desc:"how many of them the plan deletes, replaces or forgets"`
	Share       int    `json:"share" desc:"destroys in percent of managed, rounded up"`
	MaxDestroys int    `json:"max_destroys" desc:"how many a plan may destroy without being asked about; 0 means any number"`
	MaxShare    int    `json:"max_share" desc:"how much of the state, in percent, a plan may destroy without being asked about; 0 means any share"`
	// Unsafe is what is wrong with how it was made, or with what is done to the state.
	Unsafe []Hazard `json:"unsafe" desc:"what makes the plan show less than there is, or is done to the state without its safeguards: target, incomplete, no-refresh, state-edit, provisioners, no-lock, force-unlock, state-push, force-push, unchecked"`
}

// Source identifies the message that an operation was read from.
type Source struct {
	UID  string `json:"uid" desc:"the message's own id: uid of the admission request, insertId of a log entry"`
	Log  string `json:"log,omitzero" desc:"name of the log that a log entry is in, else empty"`
	Link string `json:"link,omitzero" desc:"where people find the message, empty if nowhere"`
}

// Grant is what an approved break-glass grant covers, as policies see it.
type Grant struct {
	ID        string `json:"id" desc:"the grant's handle"`
	Approvals int    `json:"approvals" desc:"how many people approved it"`
}
