package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// AssetsVariable is the environment variable that names the directory with the
// programs. It is the one that controller-runtime's envtest uses.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// Assets returns the absolute path of dir if the four programs are in it. An
// empty dir means the one that AssetsVariable names. The error says what to run.
func Assets(dir string) (string, error) {
	const hint = "run `make controlplane` and set " + AssetsVariable + " to the directory that it prints last"
	if dir == "" {
		dir = os.Getenv(AssetsVariable)
	}
	if dir == "" {
		return "", fmt.Errorf("%s is not set: %s", AssetsVariable, hint)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	var missing []string
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("%s lacks %s: %s", dir, strings.Join(missing, ", "), hint)
	}
	return dir, nil
}
