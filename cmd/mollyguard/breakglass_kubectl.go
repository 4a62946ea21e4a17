package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// parseKubectl reads a kubectl command line as kubectl does. All errors are the
// user's to mend.
func parseKubectl(line string) (intent, error) {
	words, err := shellWords(line)
	if err != nil {
		return intent{}, err
	}
	if len(words) == 0 {
		return intent{}, errors.New("the command is empty")
	}
	if !isKubectl(words[0]) {
		return intent{}, fmt.Errorf("the command begins with %s, not with kubectl", shown(words[0]))
	}
	var c kubectlFlags
	global := newFlagSet()
	c.global(global)
	global.SetInterspersed(false) // up to the verb
	if err := c.parse(global, words[1:]); err != nil {
		return intent{}, err
	}
	if global.NArg() == 0 {
		return intent{}, errors.New("the command has no verb, such as delete")
	}
	verb := global.Arg(0)
	read, ok := kubectlVerbs[verb]
	if !ok {
		return intent{}, otherVerb(verb)
	}
	flags := newFlagSet()
	c.global(flags)
	c.common(flags)
	if verb == "scale" {
		c.scale(flags)
	}
	if err := c.parse(flags, global.Args()[1:]); err != nil {
		return intent{}, err
	}
	return read(c, flags.Args())
}

// isKubectl reports whether a word is how people call kubectl.
func isKubectl(word string) bool {
	name := strings.TrimSuffix(path.Base(strings.ReplaceAll(word, `\`, "/")), ".exe")
	return slices.Contains([]string{"kubectl", "k", "oc"}, name)
}

// kubectlVerbs are the verbs that say by themselves what they destroy.
var kubectlVerbs = map[string]func(c kubectlFlags, args []string) (intent, error){
	"delete": kubectlFlags.readDelete,
	"scale":  kubectlFlags.readScale,
	"label":  kubectlFlags.readLabel,
}

// otherVerb says what to do about all others.
func otherVerb(verb string) error {
	switch verb {
	case "drain", "eviction", "evict":
		return misnamed("%s evicts pods one by one, and a grant opens objects that are named: name the pods, as in: request evict pod NAME… --namespace NAMESPACE", verb)
	case "annotate", "apply", "edit", "patch", "replace", "set", "autoscale", "rollout", "create":
		return misnamed("what kubectl %s destroys is not in the command: name verb and target instead, as the refusal does", verb)
	case "get", "describe", "logs", "exec", "top", "explain", "version", "config", "diff", "events", "wait", "port-forward", "cp", "attach", "debug", "auth", "api-resources", "api-versions", "cluster-info":
		return fmt.Errorf("kubectl %s destroys nothing: no grant is needed for it", verb)
	}
	return misnamed("what kubectl %s destroys is not known here: name verb and target instead, as the refusal does", shown(verb))
}

func (c kubectlFlags) readDelete(args []string) (intent, error) {
	return c.intent(operation.Delete, args)
}

func (c kubectlFlags) readScale(args []string) (intent, error) {
	switch {
	case c.replicas == notSaid:
		return intent{}, errors.New("the command does not say --replicas")
	case c.replicas != 0:
		return intent{}, fmt.Errorf("scaling to %d destroys nothing: no grant is needed for it", c.replicas)
	}
	return c.intent(operation.ScaleToZero, args)
}

// readLabel takes each label that is taken off, or gets another value, for one that
// protects: which ones do is for the server to know.
func (c kubectlFlags) readLabel(args []string) (intent, error) {
	i := slices.IndexFunc(args, func(arg string) bool { return strings.Contains(arg, "=") || strings.HasSuffix(arg, "-") })
	if i < 0 {
		return intent{}, errors.New("the command changes no label: say which one, as in env-")
	}
	for _, arg := range args[i:] {
		if !strings.Contains(arg, "=") && !strings.HasSuffix(arg, "-") {
			return intent{}, fmt.Errorf("the command has %s after the labels", shown(arg))
		}
	}
	// Without --overwrite kubectl only adds labels.
	if !c.overwrite && !slices.ContainsFunc(args[i:], func(arg string) bool { return strings.HasSuffix(arg, "-") && !strings.Contains(arg, "=") }) {
		return intent{}, errors.New("the command takes no label off and changes none without --overwrite: no grant is needed for it")
	}
	return c.intent(operation.Unprotect, args[:i])
}

// intent makes one of the arguments that name objects.
func (c kubectlFlags) intent(verb operation.Verb, args []string) (intent, error) {
	i := intent{
		verb: verb, selector: c.selector, fieldSelector: c.fieldSelector, all: c.all, allNamespaces: c.allNamespaces, files: c.files, place: c.place,
	}
	switch {
	case c.raw != "":
		return intent{}, misnamed("the command has --raw: name verb and target instead")
	case c.kustomize != "":
		return intent{}, errors.New("the command has --kustomize: write it out (kubectl kustomize DIR > FILE), and say --filename FILE")
	case len(c.files) > 0 && len(args) > 0:
		return intent{}, errors.New("the command names objects and a file: kubectl takes one of both")
	}
	return i, i.addArguments(args)
}
