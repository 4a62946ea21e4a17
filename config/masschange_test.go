package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/config"
)

func TestHowMuchOneActorMayDoCanBeSet(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       config.MassChange
		problems   []string
	}{
		{"left out", "{}", config.MassChange{Limit: new(20), Window: 10 * time.Minute}, nil},
		{"set", "{massChange: {limit: 50, window: 1h}}", config.MassChange{Limit: new(50), Window: time.Hour}, nil},
		{"any number", "{massChange: {limit: 0}}", config.MassChange{Limit: new(0), Window: 10 * time.Minute}, nil},
		{"as much and as long as can be", "{massChange: {limit: 200, window: 24h}}", config.MassChange{Limit: new(200), Window: 24 * time.Hour}, nil},
		{
			"too much and too long", "{massChange: {limit: 201, window: 25h}}", config.MassChange{},
			[]string{
				"c.yaml:3: kubernetes.massChange.limit: 201 is not between 0, which is off, and 200",
				"c.yaml:3: kubernetes.massChange.window: 25h0m0s is not between 1m0s and 24h0m0s",
			},
		},
		{
			"less than nothing", "{massChange: {limit: -1, window: 59s}}", config.MassChange{},
			[]string{
				"c.yaml:3: kubernetes.massChange.limit: -1 is not between 0, which is off, and 200",
				"c.yaml:3: kubernetes.massChange.window: 59s is not between 1m0s and 24h0m0s",
			},
		},
		{
			"no time", "{massChange: {window: 0s}}", config.MassChange{},
			[]string{
				"c.yaml:3: kubernetes.massChange.window: 0 is not possible: leave it out for the default",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Parse("c.yaml", []byte(header+"kubernetes: "+tt.text+"\n"))
			var problems []string
			if err != nil {
				problems = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(tt.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, c.Kubernetes.MassChange); diff != "" {
				t.Errorf("massChange (-want +got):\n%s", diff)
			}
		})
	}
}
