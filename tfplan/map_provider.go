package tfplan

import (
	"slices"

	tfjson "github.com/hashicorp/terraform-json"
)

// maxConfigurations caps how many configurations of a provider are compared where the plan
// does not say which of them a resource has. With more of them it is not known.
const maxConfigurations = 32

// configurationsOf are the keys of the configurations that a resource's provider may have:
// one, if the configuration still has the resource, where it is or was, or if the provider
// has one only. Else all of the provider's, for what is gone from the configuration may
// have had any.
func configurationsOf(h *Head, address, previous, provider string) []string {
	for _, at := range []string{address, previous} {
		if key, ok := h.ProviderOf[withoutIndices(at)]; ok {
			return []string{key}
		}
	}
	if keys := h.Configurations[provider]; len(keys) > 0 {
		return keys
	}
	return []string{lastSegment(provider)}
}

// configurations are those of the change's provider.
func (r *reading) configurations() []string {
	return configurationsOf(&r.w.Head, r.c.Address, r.c.PreviousAddress, r.c.Provider)
}

// agreed is what all configurations say alike, or "": none of them is guessed.
func (h *Head) agreed(keys []string, of func(constants map[string]string) string) string {
	if len(keys) > maxConfigurations {
		return ""
	}
	said := ""
	for i, key := range keys {
		text := of(h.Providers[key])
		if i > 0 && text != said {
			return ""
		}
		said = text
	}
	return said
}

// mayShare reports whether two resources may have the same configuration of a provider.
func mayShare(a, b []string) bool {
	return len(a) > maxConfigurations || len(b) > maxConfigurations ||
		slices.ContainsFunc(a, func(key string) bool { return slices.Contains(b, key) })
}

// runsExternal reports whether the change is the reading of a data source external
// (https://registry.terraform.io/providers/hashicorp/external/latest/docs/data-sources/external)
// while the plan is applied.
func (c *Change) runsExternal() bool {
	return c.Mode == tfjson.DataResourceMode && c.Type == "external" && slices.Contains(c.Actions, tfjson.ActionRead)
}

// runsProvisioners reports whether the change runs the programs that its resource has.
func (h *Head) runsProvisioners(c *Change) bool {
	does := effectOf(c)
	return c.Kind == Planned && (does.creates || does.deletes) && h.Provisioned[withoutIndices(c.Address)]
}
