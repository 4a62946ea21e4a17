package operation

import "strings"

// Plural is the name of a kind in the plural, as English forms it: Ingresses,
// NetworkPolicies, Gateways. One that is plural already, such as Endpoints, stays as it
// is, and so does the empty one.
func Plural(kind string) string {
	last := func(endings ...string) bool {
		for _, ending := range endings {
			if strings.HasSuffix(kind, ending) {
				return true
			}
		}
		return false
	}
	switch {
	case kind == "":
		return kind
	case last("ss", "x", "ch", "sh"):
		return kind + "es"
	case last("s"):
		return kind
	case last("y") && !last("ay", "ey", "oy", "uy"):
		return strings.TrimSuffix(kind, "y") + "ies"
	}
	return kind + "s"
}
