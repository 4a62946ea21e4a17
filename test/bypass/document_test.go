package bypass

import (
	"fmt"
	"slices"
	"strings"
)

const preface = `# Doors

<!-- Written from the table in test/bypass: go test ./test/bypass -run Document -update -->

Every known way to get rid of production, or of its guard, and what becomes of it. Each line is tried by ` + "`make test`" + ` against a real
API server, with real kubectl, as somebody to whom RBAC gives everything, in three states:

- **running**: a server answers, and knows what is in the cluster;
- **unread**: a server answers, and has not yet read what is in the cluster (it has just started, or may not list a kind);
- **dead**: no server answers, and the [floor](webhook-configuration.md#the-floor) stands in the API server.

*Closed* is refused, by Mollyguard, and what it protects is as it was. Of what is *open* the reason is below its table.
`

// describe is the document.
func describe(doors []door) string {
	var b strings.Builder
	b.WriteString(preface)
	var groups []string
	for _, d := range doors {
		if !slices.Contains(groups, d.group) {
			groups = append(groups, d.group)
		}
	}
	for _, group := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| door | running | unread | dead | what closes it |\n|---|---|---|---|---|\n", group)
		var notes []string
		for _, d := range doors {
			if d.group != group {
				continue
			}
			fmt.Fprintf(&b, "| %s |", d.name)
			for _, m := range modes {
				fmt.Fprintf(&b, " %s |", state(d, m, &notes))
			}
			fmt.Fprintf(&b, " %s |\n", d.how)
		}
		if len(notes) > 0 {
			b.WriteString("\n")
		}
		for i, note := range notes {
			fmt.Fprintf(&b, "%d. %s\n", i+1, note)
		}
	}
	return b.String()
}

// state is closed, open with the number of its reason, or nothing where the door is not
// about the mode.
func state(d door, m mode, notes *[]string) string {
	if len(d.only) > 0 && !slices.Contains(d.only, m) {
		return "–"
	}
	why, open := d.open[m]
	if !open {
		return "closed"
	}
	i := slices.Index(*notes, why)
	if i < 0 {
		i = len(*notes)
		*notes = append(*notes, why)
	}
	return fmt.Sprintf("open (%d)", i+1)
}
