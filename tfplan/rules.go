package tfplan

// Rules is the file of one provider family. It is data that people read, correct and add
// to (terraform.rules in the configuration): YAML, one document, strictly decoded. What is
// said for a provider as a whole adds up. So do rules for a type: disarm, holds, grants,
// rights and labels of all of them count, and what one says is a container, guards others
// or is in Kubernetes stays that; of kind, ref, group and the places the later rule's counts.
// With replace: true a rule stands alone instead. A rule for a type with "*" adds to other
// such rules, and not to those of exact types.
//
// A path names a value in a resource's values, as in settings.0.deletion_protection_enabled:
// keys of objects and indices of lists, between dots; "*" stands for every element of a
// list or value of an object, and 0 of an object for the object itself, since providers
// turn blocks into objects.
//
// A place is one path, or several with "|" between them, of which the first counts that
// leads to a text or number. After a path, ":last" takes the last segment of what has
// slashes (a self link, an id), and any other word the segment that follows that word:
// key_ring:locations of projects/p/locations/l/keyRings/k is l. Of an ARN, ":region" and
// ":account" are its region and account.
type Rules struct {
	// Providers are the types of the providers, the last segment of the source address:
	// google, google-beta. "*" holds for all. Types count whatever the provider is called.
	Providers []string `yaml:"providers"`
	// Labels are the paths at which labels are: objects of texts, lists of objects with
	// key and value, or lists of texts such as env:production. All count, later ones over
	// earlier ones. Annotations are Kubernetes'.
	Labels      []string `yaml:"labels"`
	Annotations []string `yaml:"annotations"`
	// Project, Location, Names and Namespace are places that the types have in common.
	// The first that is there counts.
	Project   []string `yaml:"project"`
	Location  []string `yaml:"location"`
	Names     []string `yaml:"names"`
	Namespace []string `yaml:"namespace"`
	// ProviderProject are the arguments of the provider's configuration which say the
	// project (the account, the subscription) where the resource does not, as long as they
	// are constants: see Head.Providers.
	ProviderProject []string `yaml:"providerProject"`
	// FoldLabels says that people write keys and values of labels in any case there:
	// "Environment: Production" counts as environment=production too.
	FoldLabels bool `yaml:"foldLabels"`
	// Disarm holds for every type that has the field.
	Disarm []Disarm `yaml:"disarm"`
	// Types are the resource types that more is known of.
	Types []TypeRule `yaml:"types"`
}

// TypeRule is what is known of some resource types.
type TypeRule struct {
	// Types are exact, such as google_sql_database_instance, or have one "*" for any
	// letters, as google_*_iam_member; then every exact one counts before it.
	Types []string `yaml:"types"`
	// Replace says that earlier rules for the types do not count.
	Replace bool `yaml:"replace"`
	// Kind is what people call it, as other surfaces do: Cluster, DatabaseInstance. Left
	// out, it is the type.
	Kind string `yaml:"kind"`
	// Name, Project, Location and Namespace are places, instead of the provider's.
	Name      string `yaml:"name"`
	Project   string `yaml:"project"`
	Location  string `yaml:"location"`
	Namespace string `yaml:"namespace"`
	// Ref is the canonical name with places in braces, as in
	// gcp://cloudsql.googleapis.com/projects/{project}/instances/{name}. {project},
	// {location}, {name} and {namespace} are as above; any other is a place in the values.
	// Slashes around a value are left out. Where a value is missing the object has no such
	// name and is called by its address.
	Ref string `yaml:"ref"`
	// Labels are paths of labels, besides the provider's. Loose says that free data is
	// there: what is no text is no label, and not unknown.
	Labels []string `yaml:"labels"`
	Loose  bool     `yaml:"loose"`
	// Container says that others live in it and go with it.
	Container bool `yaml:"container"`
	// Holds says which resources of the state do.
	Holds []Holds `yaml:"holds"`
	// Disarm adds to the provider's.
	Disarm []Disarm `yaml:"disarm"`
	// Kubernetes says that it is an object of a cluster. Group, Resource and Kind are the
	// API's; or Object is the path of the whole object as the API has it (or of its text in
	// YAML; of several with "|" between them the first counts that can be read), whose
	// apiVersion, kind and metadata say all that. Paths lead into the text too.
	Kubernetes bool   `yaml:"kubernetes"`
	Group      string `yaml:"group"`
	Resource   string `yaml:"resource"`
	Object     string `yaml:"object"`
	// Cluster is the place of what names the object's cluster in its values. It is the
	// argument "cluster" among those of the provider, which say it otherwise: see
	// MapperOptions.Cluster.
	Cluster string `yaml:"cluster"`
	// Destroys says that creating or changing it destroys data by itself, and what: an
	// aws_ecr_lifecycle_policy. The verb is empty.
	Destroys string `yaml:"destroys"`
	// Grants says that it gives rights: which place holds to whom, and which which.
	Grants *GrantRule `yaml:"grants"`
	// Rights says that it is a role or policy, which others have: where its rights are.
	Rights *RightsRule `yaml:"rights"`
	// Guards says that the object itself guards others, as a lien, an organization or
	// deny policy, a lock does: to delete it is to unprotect.
	Guards bool `yaml:"guards"`
}

// Holds says that resources of some types live in this one if a field of theirs names it.
type Holds struct {
	// Types are exact; "*" stands for all.
	Types []string `yaml:"types"`
	// Field is the place in their values; By the places in the container's, one of which
	// it must equal, or equal in its last segment (self links).
	Field string   `yaml:"field"`
	By    []string `yaml:"by"`
}

// Disarm says which change of a field weakens a resource.
type Disarm struct {
	// Field is a path.
	Field string `yaml:"field"`
	// When is what happens to it; When.Values lists all.
	When When `yaml:"when"`
	// Values are texts, numbers, true or false, for becomes and leaves.
	Values []string `yaml:"values"`
	// Verb is what it amounts to: unprotect (left out), scale-to-zero, empty, delete.
	Verb string `yaml:"verb"`
	// Created says that a resource which is made this way is told of too: with off, made
	// with false, though the provider's own default is true. It goes with off, on, zero,
	// set and becomes.
	Created bool `yaml:"created"`
	// Says is what people read, less the values: "deletion protection is switched off".
	Says string `yaml:"says"`
	// By is the place in an element of a list that names it, for shrunk: an element that
	// changes is the same as long as that is. Without it, one that changes is lost.
	By string `yaml:"by"`
	// Where is a condition on other fields.
	Where *Where `yaml:"where"`
}

// Where is a condition on other fields, before the change or after it.
type Where struct {
	// Field is a path (or several with "|" between them, one of which is enough). As far
	// as it begins like that of the Disarm, its "*" stand for the same elements.
	Field string `yaml:"field"`
	// Is are patterns (package regexp, of whole texts), one of which a value there matches;
	// left out, there is something.
	Is []string `yaml:"is"`
}

// When is what happens to a field that disarms. Where the value after is only known after
// apply, it may happen, and is told as such.
type When string

// What may happen to a field. Nothing is null, "", an empty list or object, or no value.
const (
	// Off: true before (or the text of it), not true after.
	Off When = "off"
	// On: not true before, true after.
	On When = "on"
	// Zero: a number above 0 before, 0 after; or a list with elements before, none after.
	Zero When = "zero"
	// Less: a number, a percentage, or a duration such as 604800s, 168h or 7d, that gets
	// smaller, or goes.
	Less When = "less"
	// More: a number or duration that gets larger, or goes.
	More When = "more"
	// Removed: something before, nothing after.
	Removed When = "removed"
	// Set: nothing before, something after.
	Set When = "set"
	// Shrunk: a list loses elements, whatever comes in their place, or an object keys.
	Shrunk When = "shrunk"
	// Fewer: a list or object has fewer elements than before.
	Fewer When = "fewer"
	// Changed: something before, something else or nothing after.
	Changed When = "changed"
	// Becomes: none of Values before, one of them after. With "*" elements are compared that
	// are the same, or called the same, or else come next; one that is new was nothing.
	Becomes When = "becomes"
	// Leaves: one of Values before, none of them after.
	Leaves When = "leaves"
)

// Values lists every When.
func (When) Values() []string {
	return []string{
		string(Off), string(On), string(Zero), string(Less), string(More), string(Removed), string(Set),
		string(Shrunk), string(Fewer), string(Changed), string(Becomes), string(Leaves),
	}
}

// GrantRule says where a resource has whom it gives rights.
type GrantRule struct {
	// Members is the path (or several with "|" between them) to who gets them: a text, a
	// list, a subject as Kubernetes has it, or the text of a policy in JSON with bindings of
	// role and members, as Google has it.
	Members string `yaml:"members"`
	// Role is the path to what they get, one or a list; Google's policy has its own.
	Role string `yaml:"role"`
	// Terms is the path (or several with "|" between them) to what says how far that goes: a
	// condition, or what a policy allows. If it changes, the right is given anew.
	Terms string `yaml:"terms"`
	// Strong are patterns (package regexp, of whole texts) of roles that count; empty
	// means all. Weak are those of roles that do not. What is only known after apply counts.
	Strong []string `yaml:"strong"`
	Weak   []string `yaml:"weak"`
}

// RightsRule says where a role has its rights.
type RightsRule struct {
	// Field is the path to a list of them: texts, rules as Kubernetes has them, or the text
	// of a policy in JSON as AWS has it. One that is new, or changes, is told.
	Field string `yaml:"field"`
	// Strong are patterns (package regexp, of whole texts) of what counts in them.
	Strong []string `yaml:"strong"`
}
