package mapping

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestALookForWordsFirstFindsWhatThePatternsFind(t *testing.T) {
	words := []string{
		"Terraform/", "OpenTofu/1.8", "Pulumi", "pulumi-gcp/7", "config-connector/", "configconnector/1", "KCC/2", "kubectl/v1.36", "Helm/3", "helm/",
		"gsutil/5", "gcloud/547.0.0", "google-api-go-client/0.5", "Google-HTTP-Java-Client/1", "gl-python/3.12", "gax/2", "grpc-c++/1.66",
		"google-cloud-sdk", "gcloud-golang/0.1", "stubby_client", "ſtubby_client", "Cloud-Conſole", "CLOUDCONSOLE", "Pantheon", "Mozilla/5.0", "é", "\xff", "x", "/", "-", "_", " ", " ", "+",
	}
	rapid.Check(t, func(t *rapid.T) {
		userAgent := strings.Join(rapid.SliceOf(rapid.SampledFrom(words)).Draw(t, "words"), "")
		for _, p := range append(tools, libraries) {
			if got, want := p.find(userAgent), p.pattern.FindString(userAgent); got != want {
				t.Errorf("%v in %q: got %q, want %q", p.words, userAgent, got, want)
			}
		}
		if got, want := isConsole(userAgent), consoles.MatchString(userAgent); got != want {
			t.Errorf("a console in %q: got %v, want %v", userAgent, got, want)
		}
	})
}
