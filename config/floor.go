package config

// Floor is about what the API server refuses by itself.
type Floor struct {
	// Manage says whether the server applies and re-asserts the floor. It needs the
	// webhook configuration to be managed, the embedded policies, whose part it plays,
	// and the definition of the kind Floor.
	Manage *bool `yaml:"manage"`
}

// validateFloor refuses a floor that is asked for where there can be none.
func (c *Configuration) validateFloor(p *problems) {
	if _, given := find(p.root, "kubernetes.floor.manage"); !given || !*c.Kubernetes.Floor.Manage {
		return
	}
	if !*c.Kubernetes.Webhook.Manage {
		p.add("kubernetes.floor.manage", "true, and kubernetes.webhook.manage is false: with a floor the webhook has to be asked before it, and that configuration is left to you")
	}
	if !*c.Policies.Embedded {
		p.add("kubernetes.floor.manage", "true, and policies.embedded is false: the floor refuses what those policies refuse")
	}
}
