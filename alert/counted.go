package alert

import (
	"fmt"
	"strings"
)

// Counted says how many there are of a kind of object, as people do: 1 Ingress, 2
// Ingresses. A kind that ends like a plural, as Settings and Endpoints, is left as it is.
func Counted(n int, kind string) string {
	if n != 1 {
		kind = plural(kind)
	}
	return fmt.Sprintf("%d %s", n, kind)
}

func plural(kind string) string {
	last := func(endings ...string) bool {
		for _, ending := range endings {
			if strings.HasSuffix(kind, ending) {
				return true
			}
		}
		return false
	}
	switch {
	case kind == "" || kind == unknownKind:
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

// unknownKind is what is counted that has no kind.
const unknownKind = "unknown"
