package receipt

import (
	"fmt"
	"strings"
)

func (c *comparison) applier() {
	want := c.r.Applier
	if c.now.Applier == nil {
		c.unknown(FieldApplier, want.Name, "who would apply", "run plan verify where terraform apply runs")
		return
	}
	got := *c.now.Applier
	var differ []string
	for _, name := range factNames(want.Facts, got.Facts) {
		if was, is := want.Facts[name], got.Facts[name]; was != is {
			differ = append(differ, fmt.Sprintf("%s %s, %s", name, said("was", was), said("is", is)))
		}
	}
	if len(differ) == 0 && want.Name == got.Name {
		return
	}
	const most = 6
	if len(differ) > most {
		differ = append(differ[:most], fmt.Sprintf("and %d more", len(differ)-most))
	}
	m := Mismatch{Field: FieldApplier, Want: want.Name, Got: got.Name, Hint: "apply with the identity that planned, or plan and check again with the one that will apply"}
	m.Sentence = fmt.Sprintf("another identity would apply: the plan was checked as %s, and would be applied as %s", want.Name, got.Name)
	if want.Name == got.Name {
		m.Sentence = fmt.Sprintf("another identity would apply, although it is %s again", want.Name)
	}
	if len(differ) > 0 {
		m.Sentence += ": " + strings.Join(differ, "; ")
	}
	c.mismatch(m)
}

func (c *comparison) workspace() {
	want, got := c.r.Terraform.Workspace, c.now.Terraform.Workspace
	switch {
	case want == "":
		c.say("the workspace is not pinned")
	case got == "":
		c.unknown(FieldWorkspace, want, "the workspace", "terraform workspace show tells it")
	case want != got:
		c.mismatch(Mismatch{
			Field: FieldWorkspace, Want: want, Got: got,
			Sentence: fmt.Sprintf("the plan is for workspace %s, and %s is selected", want, got),
			Hint:     fmt.Sprintf("terraform workspace select %s, or unset TF_WORKSPACE", shown(want)),
		})
	}
}

// elsewhere reports whether another workspace is selected: its state says nothing.
func (c *comparison) elsewhere() bool {
	want, got := c.r.Terraform.Workspace, c.now.Terraform.Workspace
	return want != "" && got != "" && want != got
}

func (c *comparison) terraform() {
	want, got := c.r.Terraform, c.now.Terraform
	for _, f := range []struct {
		field     Field
		want, got string
		sentence  string
		hint      string
	}{
		{FieldTerraform, want.Version, got.Version, "the plan was made by version %s, and version %s would apply it", "apply with the version that planned"},
		{FieldVariables, short(want.Variables), short(got.Variables), "the values of the variables are others than those planned with (digest %s, now %s)", Again},
		{FieldConfiguration, short(want.Configuration), short(got.Configuration), "the configuration is another than the one that was planned (digest %s, now %s)", Again},
		{FieldLock, short(want.Lock), short(got.Lock), "the providers are locked to others than those planned with (digest %s, now %s)", Again},
	} {
		if f.want != "" && f.got != "" && f.want != f.got {
			c.mismatch(Mismatch{Field: f.field, Want: f.want, Got: f.got, Sentence: fmt.Sprintf(f.sentence, f.want, f.got), Hint: f.hint})
		}
	}
}
