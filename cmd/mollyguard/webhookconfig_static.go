package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/mollyguard/mollyguard/config"
	"github.com/mollyguard/mollyguard/webhook"
)

// staticFiles writes what API servers load from files. Each of their admission plugins
// refuses a folder with kinds of another, so each has a folder of its own.
//
//	DIR/admission.yaml              --admission-control-config-file
//	DIR/policies/mollyguard.yaml    ValidatingAdmissionPolicy: the static floor
//	DIR/validating/mollyguard.yaml  ValidatingAdmissionWebhook   ┐ if there are hooks
//	DIR/mutating/mollyguard.yaml    MutatingAdmissionWebhook     ┘
type staticFiles struct {
	// dir is where they are written, path where the API server will find them.
	dir, path string
	// group is let through, serverUser is who the server is to the API server.
	group, serverUser string
	closeExit         bool
}

const (
	// staticPath is beside what kubeadm puts on a control-plane node.
	staticPath      = "/etc/kubernetes/mollyguard"
	staticAdmission = "admission.yaml"
	// staticManifest is the one file in each folder: it is replaced as a whole, and an API
	// server that reads meanwhile sees all of a policy and its binding, or what was before.
	staticManifest = "mollyguard.yaml"
	// Others than root may run an API server, and nothing in there is secret.
	staticFileMode, staticFolderMode = 0o644, 0o755
)

func (f *staticFiles) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "static", "", "write files for API servers (1.36 or later) into this `DIR`, and print their names")
	cmd.Flags().StringVar(&f.path, "static-path", staticPath, "with --static, absolute `PATH` at which API servers will find DIR")
	cmd.Flags().StringVar(&f.group, "bypass-group", webhook.BypassGroup, "with --static, `GROUP` whose members the static floor lets through; empty for nobody")
	cmd.Flags().StringVar(&f.serverUser, "server-user", "", "with --static, `USER` that the server is to the API server (default: the service account called after its Service)")
	cmd.Flags().BoolVar(&f.closeExit, "close-exit", false, "with --static, refuse to delete or change the webhook configurations and policies that the server keeps")
}

// check refuses flags that do nothing, or not what they say.
func (f *staticFiles) check(cmd *cobra.Command) error {
	changed := cmd.Flags().Changed
	if f.dir == "" {
		if changed("static") {
			return usageError("", "--static is empty: say which folder to write into")
		}
		for _, flag := range []string{"static-path", "bypass-group", "server-user", "close-exit"} {
			if changed(flag) {
				return usageError("", "--%s goes with --static only", flag)
			}
		}
		return nil
	}
	for _, flag := range []string{"floor", "output"} {
		if changed(flag) {
			return usageError("", "--%s does not go with --static, which writes files in YAML", flag)
		}
	}
	if !path.IsAbs(f.path) {
		return usageError("", "--static-path %q is not absolute", f.path)
	}
	return nil
}

// write writes the files, and prints their names.
func (f *staticFiles) write(s streams, c config.Configuration, options webhook.ConfigurationOptions) error {
	folders, err := f.folders(s, c, options)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := f.put(s, path.Join(folder.name, staticManifest), folder.objects...); err != nil {
			return err
		}
	}
	return f.put(s, staticAdmission, f.admission(folders))
}

// staticFolder is what one admission plugin loads.
type staticFolder struct {
	name, plugin, configuration string
	objects                     []any
}

func (f *staticFiles) folders(s streams, c config.Configuration, options webhook.ConfigurationOptions) ([]staticFolder, error) {
	policies, err := f.policies(c, options)
	if err != nil {
		return nil, err
	}
	list := []staticFolder{{"policies", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyConfiguration", policies}}
	switch {
	case options.URL == "":
		fmt.Fprintln(s.err, "mollyguard: no hooks are written: API servers ask no Service from a file (kubernetes.webhook.url)")
	case *c.Kubernetes.Webhook.Manage:
		fmt.Fprintln(s.err, "mollyguard: no hooks are written: the server keeps them, and would be asked twice (kubernetes.webhook.manage)")
	default:
		hooks, err := webhook.StaticHooks(options)
		if err != nil {
			return nil, err
		}
		if len(options.CABundle) == 0 {
			fmt.Fprintln(s.err, "mollyguard: the hooks have no CA bundle: API servers will trust the authorities of their system only (--ca-file)")
		}
		list = append(list,
			staticFolder{"validating", "ValidatingAdmissionWebhook", "WebhookAdmissionConfiguration", []any{hooks.Validating}},
			staticFolder{"mutating", "MutatingAdmissionWebhook", "WebhookAdmissionConfiguration", []any{hooks.Mutating}})
	}
	return list, nil
}

// policies are the static floor.
func (f *staticFiles) policies(c config.Configuration, options webhook.ConfigurationOptions) ([]any, error) {
	if !*c.Policies.Embedded {
		return nil, errors.New("there is no static floor: it refuses what the embedded policies refuse, and they are not used (policies.embedded)")
	}
	self := f.serverUser
	if self == "" && options.URL == "" {
		self = ownership(c).Account
	}
	if self == "" && f.closeExit && *c.Kubernetes.Webhook.Manage {
		return nil, usageError("", "--close-exit needs --server-user where the server is found by a URL: it would refuse the server to keep its own")
	}
	var list []any
	for _, p := range webhook.StaticFloor(webhook.StaticOptions{
		FloorOptions: floorOptions(c, options, nil, self), BypassGroup: f.group, CloseExit: f.closeExit,
	}) {
		list = append(list, p.Policy, p.Binding)
	}
	if len(list) == 0 {
		return nil, errors.New("there is no static floor: no rule of enforcement denies anything that it could refuse (enforcement)")
	}
	return list, nil
}

// admission is the AdmissionConfiguration that names the folders.
func (f *staticFiles) admission(folders []staticFolder) any {
	const group = "apiserver.config.k8s.io/v1"
	var plugins []any
	for _, folder := range folders {
		plugins = append(plugins, map[string]any{"name": folder.plugin, "configuration": map[string]any{
			"apiVersion": group, "kind": folder.configuration, "staticManifestsDir": path.Join(f.path, folder.name),
		}})
	}
	return map[string]any{"apiVersion": group, "kind": "AdmissionConfiguration", "plugins": plugins}
}

// staticHeader is the top of each file. It is in one document with what follows it: an
// API server does not start with a document that holds nothing.
const staticHeader = `# Written by "mollyguard webhook-config --static": write it anew after every change of the
# configuration, and put it on every control-plane node. See docs/webhook-configuration.md,
# "Static manifests".
`

// put replaces a file, and prints its name.
func (f *staticFiles) put(s streams, name string, objects ...any) error {
	var b bytes.Buffer
	b.WriteString(staticHeader)
	for i, object := range objects {
		if i > 0 {
			b.WriteString("---\n")
		}
		data, err := yaml.Marshal(object)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		b.Write(data)
	}
	file := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := replaceFile(file, b.Bytes()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err := fmt.Fprintln(s.out, filepath.ToSlash(file))
	return err
}

// replaceFile writes a file, with its folder if need be, such that who reads it sees
// what was or what is. The name that it has meanwhile is none that API servers read.
func replaceFile(file string, data []byte) (err error) {
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, staticFolderMode); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(folder, "."+strings.TrimSuffix(filepath.Base(file), ".yaml")+"-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(staticFileMode), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}
