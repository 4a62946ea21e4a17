package tfplan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhoAppliesIsGivenRightsByManyNames(t *testing.T) {
	for name, want := range map[string][]string{
		"serviceAccount:CI@p.iam.gserviceaccount.com":         {"ci@p.iam.gserviceaccount.com", "domain:p.iam.gserviceaccount.com"},
		"arn:aws:iam::123456789012:role/eu/Deployer":          {"aws:123456789012:role/deployer", "deployer"},
		"arn:aws:sts::123456789012:assumed-role/deployer/run": {"aws:123456789012:role/deployer", "deployer"},
		"arn:aws-cn:iam::123456789012:user/bob":               {"aws:123456789012:user/bob", "bob"},
		"arn:aws:iam::123456789012:root":                      {"arn:aws:iam::123456789012:root"},
		"arn:aws:s3:::role/deployer":                          {"arn:aws:s3:::role/deployer"},
		"system:serviceaccount:ci:deploy":                     {"system:serviceaccount:ci:deploy", "system:serviceaccounts:ci"},
		"tf":                                                  {"tf"},
	} {
		if diff := cmp.Diff(want, applierNames(name)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
