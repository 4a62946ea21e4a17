package tfplan

// Rules is the file of one provider family. It is data that people read, correct and add
// to (terraform.rules in the configuration): YAML, one document, strictly decoded. Later
// rules for a type replace earlier ones; what is said for the provider as a whole adds up.
type Rules struct {
	// Providers are the types of the providers, the last segment of the source address:
	// google, google-beta. "*" in the built-in file for every provider holds for all.
	Providers []string `yaml:"providers"`
	// Surface-neutral places of what the types have in common. Each is a path into the
	// resource's values; the first that is there counts, but of Labels all count, later
	// ones over earlier ones.
	Labels   []string `yaml:"labels"`
	Project  []string `yaml:"project"`
	Location []string `yaml:"location"`
	Names    []string `yaml:"names"`
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
	// Types are exact, such as google_sql_database_instance.
	Types []string `yaml:"types"`
	// Kind is what people call it, as other surfaces do: Cluster, DatabaseInstance.
	Kind string `yaml:"kind"`
	// Ref is the canonical name with fields in braces, as in
	// gcp://sqladmin.googleapis.com/projects/{project}/instances/{name}. {project},
	// {location}, {name} are by the provider's places above; any other is a path. A field
	// with a "|" gives others to try: {cluster|cluster_id}. Of a value that is a self link
	// or an id with slashes, {field:last} takes the last segment. Where a field is
	// missing the object has no such name and is called by its address.
	Ref string `yaml:"ref"`
	// Container says that others live in it and go with it.
	Container bool `yaml:"container"`
	// Holds says which resources of the state do.
	Holds []Holds `yaml:"holds"`
	// Disarm adds to the provider's.
	Disarm []Disarm `yaml:"disarm"`
	// Kubernetes says that it is an object of a cluster, whose metadata is at
	// metadata.0: then Group and Resource are the API's.
	Kubernetes bool   `yaml:"kubernetes"`
	Group      string `yaml:"group"`
	Resource   string `yaml:"resource"`
	// Cluster says where the object's cluster is named in its values; left out, by the
	// provider's configuration.
	Cluster string `yaml:"cluster"`
	// Destroys says that creating or changing it destroys something by itself, and what:
	// a google_storage_transfer_job that deletes, an aws_ecr_lifecycle_policy.
	Destroys string `yaml:"destroys"`
	// Grants says that it gives rights: which field holds to whom, and which which.
	Grants *GrantRule `yaml:"grants"`
	// Guards says that the object itself guards others, as a lien, an organization or
	// deny policy, a lock does: to delete it is to unprotect.
	Guards bool `yaml:"guards"`
}

// Holds says that resources of some types live in this one if a field of theirs names it.
type Holds struct {
	Types []string `yaml:"types"`
	// Field is the path in their values; By the paths in the container's, one of which
	// it must equal, or equal in its last segment (self links).
	Field string   `yaml:"field"`
	By    []string `yaml:"by"`
}

// Disarm says which change of a field weakens a resource.
type Disarm struct {
	// Field is a path: settings.0.deletion_protection_enabled; "*" stands for every
	// element of a list or value of an object.
	Field string `yaml:"field"`
	// When is what happens to it:
	//
	//	off      true before, not true after
	//	on       not true before, true after
	//	zero     a number above 0 (or a non-empty list) before, 0 or nothing after
	//	less     a number, or a duration such as 604800s, that gets smaller
	//	removed  something before, nothing (null, "", empty list or object) after
	//	shrunk   a list or object that loses elements
	//	becomes  one of Values after, and none of them before
	//	leaves   one of Values before, and none of them after
	When   string   `yaml:"when"`
	Values []string `yaml:"values"`
	// Verb is what it amounts to: unprotect (left out), scale-to-zero, empty, delete.
	Verb string `yaml:"verb"`
	// Created says that a resource which is made this way is told of too (off: made with
	// false, though the provider's own default is true; on: made with true).
	Created bool `yaml:"created"`
	// Says is what people read, less the values: "deletion protection is switched off".
	Says string `yaml:"says"`
}

// GrantRule says where a resource has whom it gives rights.
type GrantRule struct {
	// Members is the path to who gets them (a text or a list), Role to what.
	Members string `yaml:"members"`
	Role    string `yaml:"role"`
	// Strong are patterns of roles that count; empty means all.
	Strong []string `yaml:"strong"`
}
