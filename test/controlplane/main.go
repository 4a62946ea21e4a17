// Command controlplane is a Kubernetes control plane as one multi-call binary:
// called as etcd, kube-apiserver, kube-controller-manager or kubectl it is that
// program, unchanged, at the version that go.mod names. It exists so that the
// tests can be run against the real programs wherever Go and a module proxy
// are, without downloading binaries, and so that four programs that share most
// of their code are linked once.
//
// build.sh builds it and makes the four names; test/cluster runs them. It is
// for tests: nothing that is shipped contains it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // time zones of CronJobs, as upstream

	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubectl's auth plugins
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // the build_info metric
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	// Each case is the main function of that program upstream.
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "kubectl":
		// kubectl logs while it builds its commands (plugins, .kuberc), before
		// it parses its flags: set the verbosity first. A bad -v is reported by
		// the flag parser below, so the error is not needed here.
		_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err)
		}
	default:
		fmt.Fprintf(os.Stderr, "controlplane: error: called as %q\n", name)
		fmt.Fprintln(os.Stderr, "hint: call it as etcd, kube-apiserver, kube-controller-manager or kubectl (build.sh makes these names)")
		os.Exit(2)
	}
}
