package tfplan

import (
	"fmt"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

func (k *maker) grant(values map[string]any) {
	g := k.rule.Grants
	const who = "deployer@prod-shop.iam.gserviceaccount.com"
	role := ""
	for _, candidate := range []string{"roles/owner", "cluster-admin", "AdministratorAccess", "arn:aws:iam::aws:policy/AdministratorAccess", "Owner"} {
		rule, err := compileType(k.rule)
		if err != nil {
			k.t.Fatal(err)
		}
		if role == "" && rule.grants[0].counts(candidate) {
			role = candidate
		}
	}
	members, _, _ := strings.Cut(g.Members, "|")
	if g.Role == "" && strings.Contains(members, "policy") {
		put(values, members, fmt.Sprintf(`{"bindings":[{"role":%q,"members":["serviceAccount:%s"]}]}`, role, who))
		return
	}
	if g.Role != "" {
		put(values, g.Role, role)
	}
	put(values, members, who)
	if g.Role == "" {
		terms, _, _ := strings.Cut(g.Terms, "|")
		put(values, terms, "everything")
	}
}

// strongRight is one that counts as a right of a role.
func (k *maker) strongRight() any {
	for _, candidate := range []string{"*", "x.setIamPolicy"} {
		rule, err := compileType(k.rule)
		if err != nil {
			k.t.Fatal(err)
		}
		if rule.rights[0].strongIn(candidate) != "" {
			return []any{candidate}
		}
	}
	k.t.Fatalf("%s: no right counts that is tried", k.kind())
	return nil
}

// fulfil makes a condition hold.
func (k *maker) fulfil(values map[string]any, w *Where) {
	if w == nil {
		return
	}
	text := "something"
	for _, is := range w.Is {
		p, err := operation.ParsePattern(is)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, candidate := range []string{"Delete", "replicas", "7"} {
			if p.MatchString(candidate) {
				text = candidate
			}
		}
	}
	field, _, _ := strings.Cut(w.Field, "|")
	put(values, field, text)
}
