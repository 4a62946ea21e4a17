package main

import (
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// summary is one decision on one line.
func summary(d operation.Decision) string {
	target := d.Target.Name
	if d.Target.Namespace != "" {
		target = d.Target.Namespace + "/" + target
	}
	actor := d.Actor.Name
	if actor == "" {
		actor = "somebody"
	}
	return operation.Printable(fmt.Sprintf("%s: %s, %s of %s %s", d.Outcome, actor, d.Verb, d.Target.Kind, target))
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return b.String()
}
