package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// target names what a row's methods are about, and says in words what it cannot tell.
func (k *kind) target(e *entry) (t operation.Target, unknown []string) {
	parts := k.find(e)
	t = operation.Target{
		Reference: operation.Reference{Kind: k.name, Name: short(parts["name"])},
		Group:     e.serviceName, Resource: k.resource,
		Project: short(parts["project"]), Location: short(parts["location"]),
	}
	for _, part := range k.templates[0].parts() {
		if parts[part] != "" {
			continue
		}
		what := "which " + k.name + " it was"
		if part != "name" {
			what += " (no " + part + ")"
		}
		return withRest(t, e), append(unknown, what)
	}
	t.Ref = operation.GCPRef(e.serviceName, k.templates[0].write(parts))
	return t, nil
}

// withRest names a target by what the entry has, if it cannot be named as others are.
func withRest(t operation.Target, e *entry) operation.Target {
	if rest := below(e.resourceName); rest != "" {
		t.Ref = operation.GCPRef(e.serviceName, strings.Trim(short(rest), "/"))
	}
	return t
}

// find looks for the parts of a name.
func (k *kind) find(e *entry) map[string]string {
	parts := map[string]string{}
	for _, p := range k.names {
		if found := k.matched(below(plain(p.first(e.tree)))); found != nil {
			parts = found
			break
		}
	}
	for _, placeholder := range []string{"_", "-"} {
		maps.DeleteFunc(parts, func(part, value string) bool { return part != "name" && value == placeholder })
	}
	for part, paths := range k.parts {
		for _, p := range paths {
			if parts[part] == "" {
				parts[part] = lastOf(plain(p.first(e.tree)))
			}
		}
	}
	e.place(parts)
	return parts
}

func (k *kind) matched(name string) map[string]string {
	for _, t := range k.templates {
		if found, ok := t.match(name); ok {
			return found
		}
	}
	return nil
}

// place fills in the project and the location, and writes a project's number as its id.
func (e *entry) place(parts map[string]string) {
	id := e.resourceLabels["project_id"]
	if digits(id) || id == "" {
		if fromLog := e.project(); fromLog != "" && (id == "" || !digits(fromLog)) {
			id = fromLog
		}
	}
	if parts["project"] == "" || digits(parts["project"]) && id != "" {
		parts["project"] = id
	}
	for _, label := range []string{"location", "zone", "region"} {
		if parts["location"] == "" {
			parts["location"] = e.resourceLabels[label]
		}
	}
	if parts["location"] == "" {
		if list, _ := locations.first(e.tree).([]any); len(list) == 1 {
			parts["location"] = plain(list[0])
		}
	}
}

// locations is where a resource is, where its name does not say it.
var locations = mustPath("protoPayload.resourceLocation.currentLocations")

func digits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// below takes the service off a full resource name (//service/projects/…), and the
// host and version off a URL.
func below(name string) string {
	rest, scheme := strings.CutPrefix(name, "https:")
	if rest, ok := strings.CutPrefix(rest, "//"); ok {
		_, name, _ = strings.Cut(rest, "/")
		if scheme {
			for _, root := range []string{"projects/", "folders/", "organizations/"} {
				if i := strings.Index("/"+name, "/"+root); i >= 0 {
					return name[i:]
				}
			}
		}
	}
	return name
}

// lastOf is the last segment of what is a whole name or a URL; else the text.
func lastOf(text string) string {
	if strings.HasPrefix(text, "projects/") || strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "//") {
		return text[strings.LastIndexByte(text, '/')+1:]
	}
	return text
}

// unknownTarget names what a method that no table knows is about.
func unknownTarget(e *entry) (t operation.Target, unknown []string) {
	name := strings.Trim(below(e.resourceName), "/")
	kindName := e.resourceType // such as gce_instance
	if slices.Contains([]string{"", "global", "api", "audited_resource", "project"}, kindName) {
		kindName = e.serviceName
	}
	if kindName == "" {
		kindName = "resource"
	}
	parts := map[string]string{}
	segments := strings.Split(name, "/")
	for i := 0; i+1 < len(segments); i += 2 {
		switch segments[i] {
		case "projects":
			parts["project"] = segments[i+1]
		case "locations", "zones", "regions":
			parts["location"] = segments[i+1]
		}
	}
	e.place(parts)
	t = operation.Target{
		Reference: operation.Reference{Kind: short(kindName), Name: short(lastSegmentOf(name))},
		Group:     short(e.serviceName), Project: short(parts["project"]), Location: short(parts["location"]),
	}
	if name == "" {
		return t, []string{"which " + t.Kind + " it was"}
	}
	t.Ref = operation.GCPRef(t.Group, short(name))
	return t, nil
}

func lastSegmentOf(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
