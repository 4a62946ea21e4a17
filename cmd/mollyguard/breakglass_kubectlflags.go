package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/pflag"
)

// kubectlFlags are what its flags say.
type kubectlFlags struct {
	place
	// foreign are the flags by which a command acts as somebody else, or somewhere
	// that no kubeconfig names.
	foreign map[string]*string

	selector, fieldSelector string
	all, allNamespaces      bool
	overwrite               bool
	files                   []string
	kustomize, raw          string
	replicas                int
}

func newFlagSet() *pflag.FlagSet {
	set := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	set.SortFlags = false
	return set
}

// foreignFlags are refused: a grant is for who asks for it, and in the cluster
// that was asked.
var foreignFlags = []string{
	"as", "as-uid", "user", "username", "password", "token", "client-certificate", "client-key", "as-group", "as-user-extra",
	"server", "tls-server-name", "certificate-authority",
}

// global are kubectl's flags for every verb (kubectl options, 1.37). What says
// nothing about who, where and what is read past.
func (c *kubectlFlags) global(set *pflag.FlagSet) {
	set.StringVarP(&c.namespace, "namespace", "n", c.namespace, "")
	set.StringVar(&c.context, "context", c.context, "")
	set.StringVar(&c.cluster, "cluster", c.cluster, "")
	set.StringVar(&c.kubeconfig, "kubeconfig", c.kubeconfig, "")
	if c.foreign == nil {
		c.foreign = map[string]*string{}
		for _, name := range foreignFlags {
			c.foreign[name] = new(string)
		}
	}
	for _, name := range foreignFlags {
		short := map[string]string{"server": "s"}[name]
		set.StringVarP(c.foreign[name], name, short, "", "")
	}
	for _, name := range []string{"cache-dir", "kuberc", "log-flush-frequency", "profile", "profile-output", "request-timeout", "vmodule"} {
		set.String(name, "", "")
	}
	for _, name := range []string{"disable-compression", "insecure-skip-tls-verify", "match-server-version", "warnings-as-errors"} {
		set.Bool(name, false, "")
	}
	set.StringP("v", "v", "", "")
}

// common are the flags of the verbs that are read, taken together: that kubectl
// would not take one of them with another verb is for kubectl to say.
func (c *kubectlFlags) common(set *pflag.FlagSet) {
	set.StringVarP(&c.selector, "selector", "l", "", "")
	set.StringVar(&c.fieldSelector, "field-selector", "", "")
	set.BoolVar(&c.all, "all", false, "")
	set.BoolVar(&c.overwrite, "overwrite", false, "")
	set.BoolVarP(&c.allNamespaces, "all-namespaces", "A", false, "")
	set.StringSliceVarP(&c.files, "filename", "f", nil, "")
	set.StringVarP(&c.kustomize, "kustomize", "k", "", "")
	set.StringVar(&c.raw, "raw", "", "")
	set.String("cascade", "", "")
	set.Lookup("cascade").NoOptDefVal = "background"
	set.String("dry-run", "", "")
	set.Lookup("dry-run").NoOptDefVal = "unchanged"
	for _, name := range []string{"current-replicas", "field-manager", "grace-period", "resource-version", "template", "timeout"} {
		set.String(name, "", "")
	}
	set.StringP("output", "o", "", "")
	set.BoolP("recursive", "R", false, "")
	set.BoolP("interactive", "i", false, "")
	for _, name := range []string{
		"allow-missing-template-keys", "force", "ignore-not-found", "list", "local", "now", "record", "show-managed-fields", "wait",
	} {
		set.Bool(name, false, "")
	}
}

// notSaid is no number of replicas.
const notSaid = -1

func (c *kubectlFlags) scale(set *pflag.FlagSet) {
	set.IntVar(&c.replicas, "replicas", notSaid, "")
}

func (c *kubectlFlags) parse(set *pflag.FlagSet, words []string) error {
	if err := set.Parse(words); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return errors.New("the command asks for help")
		}
		return fmt.Errorf("in the command: %s", shown(err.Error()))
	}
	for _, name := range foreignFlags {
		switch {
		case !set.Changed(name):
		case slices.Contains([]string{"server", "tls-server-name", "certificate-authority"}, name):
			return fmt.Errorf("the command has --%s: name the cluster by a context of the kubeconfig, so that it is the one that is asked", name)
		default:
			return fmt.Errorf("the command has --%s, which acts as somebody else: a grant is for who asks for it; see --subject for service accounts", name)
		}
	}
	return nil
}
