package mapping

import (
	"strings"
	"testing"

	"github.com/mollyguard/mollyguard/auditlog"
	"github.com/mollyguard/mollyguard/operation"
)

func TestADryRunIsWhatTheAPIServerTakesForOne(t *testing.T) {
	const all, options = `{"dryRun":["All"]}`, `{"kind":"DeleteOptions"}`
	for _, tt := range []struct {
		name, uri, verb string
		body            any
		want            bool
	}{
		{"a patch that says so", "/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All", "patch", nil, true},
		{"a patch with more parameters", "/x?fieldManager=me&dryRun=All", "patch", options, true},
		{"another parameter that ends like it", "/x?xdryRun=All", "delete", nil, false},
		{"another value", "/x?dryRun=1", "patch", nil, false},
		{"a path that looks like it", "/x/dryRun=All", "patch", nil, false},
		{"a deletion without a body", "/x?dryRun=All", "delete", nil, true},
		{"a deletion with a body, which goes by that", "/x?dryRun=All", "delete", options, false},
		{"a collection with a body", "/x?dryRun=All", "deletecollection", all, false},
		{"a query that cannot be read", "/x?dryRun=All;%zz", "patch", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := dryRunBy(tt.uri, tt.verb, tt.body); got != tt.want {
				t.Errorf("%t, want %t", got, tt.want)
			}
		})
	}
}

func TestWhoeverTakesTheAccountThatWeReadByIsTold(t *testing.T) {
	const own = "mollyguard@guard-1.iam.gserviceaccount.com"
	m := testMapper(t, Options{Own: []string{own}})
	for name, resource := range map[string]string{
		"google.iam.admin.v1.DeleteServiceAccount":    "projects/guard-1/serviceAccounts/" + own,
		"google.iam.admin.v1.DeleteServiceAccountKey": "projects/guard-1/serviceAccounts/" + own + "/keys/1",
	} {
		t.Run(name, func(t *testing.T) {
			r := mapped(t, m, with(t, deletion, "protoPayload/serviceName", `"iam.googleapis.com"`, "protoPayload/methodName", `"`+name+`"`, "protoPayload/resourceName", `"`+resource+`"`))
			if r.Care != auditlog.Judge || !r.Operation.Target.Own || r.Operation.Verb == operation.Update {
				t.Errorf("care %v, %s of %s, own %t; want it to be our own", r.Care, r.Operation.Verb, r.Operation.Target.Ref, r.Operation.Target.Own)
			}
		})
	}
}

func TestAnEntryWhoseNameIsABookIsNotRead(t *testing.T) {
	m := testMapper(t, Options{})
	if _, err := m.Map(with(t, deletion, "insertId", `"`+strings.Repeat("x", maxID+1)+`"`)); err == nil || !strings.Contains(err.Error(), "insertId") {
		t.Errorf("error %v, want one about insertId", err)
	}
}
