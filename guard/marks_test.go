package guard_test

import (
	"testing"

	"github.com/mollyguard/mollyguard/guard"
)

func TestMarksSayWhatTheGuardWouldSay(t *testing.T) {
	rules := guard.ProductionRules{
		Selectors: []string{"env=production"}, NamespaceSelectors: []string{"tier=live"},
		Namespaces: []string{"prod-.*"}, Names: []string{"core-.*"},
	}
	marks, err := guard.NewMarks(rules)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := guard.NewMarks(guard.ProductionRules{WholeCluster: true})
	if err != nil {
		t.Fatal(err)
	}
	production, live := map[string]string{"env": "production"}, map[string]string{"tier": "live"}
	for name, c := range map[string]struct{ got, want bool }{
		"an object with the label":                               {marks.Object("shop", "web", production), true},
		"an object with the namespaces' label":                   {marks.Object("shop", "web", live), false},
		"an object with the name":                                {marks.Object("shop", "core-db", nil), true},
		"an object whose name only begins like it":               {marks.Object("shop", "score-db", nil), false},
		"an object of a namespace with the name, seen by itself": {marks.Object("prod-eu", "web", nil), false},
		"a namespace with the label":                             {marks.Namespace("shop", live), true},
		"a namespace with the objects' label":                    {marks.Namespace("shop", production), false},
		"a namespace with the name":                              {marks.Namespace("prod-eu", nil), true},
		"a namespace with an object's name":                      {marks.Namespace("core-db", nil), false},
		"any object where the whole cluster is":                  {whole.Object("shop", "web", nil), true},
		"any namespace where the whole cluster is":               {whole.Namespace("shop", nil), true},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func TestMarksNameTheRuleThatDoesNotParse(t *testing.T) {
	if _, err := guard.NewMarks(guard.ProductionRules{Selectors: []string{"=="}}); err == nil {
		t.Error("no error")
	}
}
