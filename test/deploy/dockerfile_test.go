package deploy

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
)

// instruction is one instruction of a Dockerfile.
type instruction struct {
	name  string            // in upper case
	flags map[string]string // --name=value; of one that is repeated the last
	rest  string
}

// stage is what follows a FROM.
type stage struct {
	image, name string
	steps       []instruction
}

// dockerfile is as much of one as ours needs: no here-documents, no other escape
// character. Docker has the last word, and there is none here.
type dockerfile struct {
	arguments map[string]string // ARG before the first FROM
	stages    []stage
}

func readDockerfile(path string) (dockerfile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return dockerfile{}, err
	}
	d := dockerfile{arguments: map[string]string{}}
	var whole string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if part, continued := strings.CutSuffix(line, `\`); continued {
			whole += part + " "
			continue
		}
		if err := d.add(whole + line); err != nil {
			return dockerfile{}, err
		}
		whole = ""
	}
	if whole != "" {
		return dockerfile{}, fmt.Errorf("the last line is continued: %q", whole)
	}
	return d, nil
}

func (d *dockerfile) add(line string) error {
	name, rest, _ := strings.Cut(line, " ")
	i := instruction{name: strings.ToUpper(name), flags: map[string]string{}, rest: strings.TrimSpace(rest)}
	for strings.HasPrefix(i.rest, "--") {
		flag, rest, _ := strings.Cut(i.rest, " ")
		key, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		i.flags[key], i.rest = value, strings.TrimSpace(rest)
	}
	switch {
	case i.name == "FROM":
		fields := strings.Fields(i.rest)
		s := stage{image: fields[0]}
		if len(fields) == 3 && strings.EqualFold(fields[1], "AS") {
			s.name = fields[2]
		} else if len(fields) != 1 {
			return fmt.Errorf("not understood: %q", line)
		}
		d.stages = append(d.stages, s)
	case len(d.stages) > 0:
		last := &d.stages[len(d.stages)-1]
		last.steps = append(last.steps, i)
	case i.name == "ARG":
		key, value, _ := strings.Cut(i.rest, "=")
		d.arguments[key] = value
	default:
		return fmt.Errorf("before the first FROM: %q", line)
	}
	return nil
}

func (s stage) all(name string) []instruction {
	var found []instruction
	for _, step := range s.steps {
		if step.name == name {
			found = append(found, step)
		}
	}
	return found
}

// only returns what follows the one instruction of that name.
func (s stage) only(t *testing.T, name string) string {
	t.Helper()
	found := s.all(name)
	if len(found) != 1 {
		t.Fatalf("%d instructions %s, want one", len(found), name)
	}
	return found[0].rest
}

const built = "/out/mollyguard" // where the build stage leaves the binary

func TestDockerfile(t *testing.T) {
	d, err := readDockerfile(root + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if len(d.stages) != 2 {
		t.Fatalf("%d stages, want one that builds and one that runs", len(d.stages))
	}
	build, run := d.stages[0], d.stages[1]

	if build.image != "${BUILDER}" || run.image != "${RUNTIME}" || d.arguments["BUILDER"] == "" || d.arguments["RUNTIME"] == "" {
		t.Errorf("the images %q and %q cannot be replaced by build arguments: %v", build.image, run.image, d.arguments)
	}
	if want := goMinor(t); !strings.HasSuffix(d.arguments["BUILDER"], "golang:"+want) {
		t.Errorf("the builder is %s, go.mod says Go %s", d.arguments["BUILDER"], want)
	}
	entrypoint := []string{}
	if err := json.Unmarshal([]byte(run.only(t, "ENTRYPOINT")), &entrypoint); err != nil || len(entrypoint) != 1 {
		t.Errorf("ENTRYPOINT is not in exec form with one program: %v, %q", err, entrypoint)
	}
	if steps := run.all("RUN"); len(steps) > 0 {
		t.Errorf("the image has no shell to run %q with", steps[0].rest)
	}

	for _, s := range d.stages {
		for _, step := range s.all("ADD") {
			t.Errorf("ADD %s: COPY never fetches or unpacks", step.rest)
		}
		for _, step := range s.all("COPY") {
			fields := strings.Fields(step.rest)
			if len(fields) != 2 {
				t.Errorf("COPY %s: not understood", step.rest)
				continue
			}
			if from, ok := step.flags["from"]; ok {
				if want := append(entrypoint, build.name); !slices.Equal([]string{fields[1], from}, want) || fields[0] != built {
					t.Errorf("COPY --from=%s %s: want %s of stage %s", from, step.rest, built, build.name)
				}
			} else if _, err := os.Stat(filepath.Join(root, fields[0])); err != nil {
				t.Errorf("COPY %s: %v", step.rest, err)
			}
		}
	}

	pod := one[appsv1.Deployment](t, render(t, base), "Deployment").Spec.Template.Spec
	user := run.only(t, "USER")
	if match := regexp.MustCompile(`^([1-9]\d*):([1-9]\d*)$`).FindStringSubmatch(user); match == nil {
		t.Errorf("USER %s is not a number other than 0: runAsNonRoot could not tell", user)
	} else if want := fmt.Sprintf("%d:%d", *pod.SecurityContext.RunAsUser, *pod.SecurityContext.RunAsGroup); user != want {
		t.Errorf("USER %s, but the Deployment runs as %s", user, want)
	}
	var ports []string
	for _, port := range pod.Containers[0].Ports {
		ports = append(ports, portText(port.ContainerPort))
	}
	if diff := cmp.Diff(ports, strings.Fields(run.only(t, "EXPOSE"))); diff != "" {
		t.Errorf("the Deployment's ports against EXPOSE (-want +got):\n%s", diff)
	}
}

// The command itself is run, outside a container and with this machine's Go.
func TestTheDockerfileBuildsAStaticBinary(t *testing.T) {
	info, err := buildinfo.ReadFile(mollyguard(t))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, setting := range info.Settings {
		got[setting.Key] = setting.Value
	}
	for key, want := range map[string]string{"CGO_ENABLED": "0", "-trimpath": "true"} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	if info.Path != "github.com/mollyguard/mollyguard/cmd/mollyguard" {
		t.Errorf("it is %s", info.Path)
	}
}

// What git ignores is not in the image's context, and all that it tracks is:
// otherwise the version that Go records would say that something was modified.
func TestTheContextIsWhatGitTracks(t *testing.T) {
	var want []string
	for _, line := range lines(t, root+"/.gitignore") {
		if strings.HasPrefix(line, "/") {
			want = append(want, strings.Trim(line, "/"))
		} else {
			want = append(want, "**/"+line)
		}
	}
	if diff := cmp.Diff(want, lines(t, root+"/.dockerignore")); diff != "" {
		t.Errorf(".gitignore against .dockerignore (-want +got):\n%s", diff)
	}
}

// lines returns a file's lines without empty ones and comments.
func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}

func goMinor(t *testing.T) string {
	t.Helper()
	for _, line := range lines(t, root+"/go.mod") {
		if version, ok := strings.CutPrefix(line, "go "); ok {
			parts := strings.Split(version, ".")
			return parts[0] + "." + parts[1]
		}
	}
	t.Fatal("go.mod does not say which Go")
	return ""
}

func portText(port int32) string { return strconv.Itoa(int(port)) }

// binaryFolder is removed by TestMain.
var binaryFolder = filepath.Join(os.TempDir(), fmt.Sprintf("mollyguard-deploy-test-%d", os.Getpid()))

func TestMain(m *testing.M) {
	code := m.Run()
	if err := os.RemoveAll(binaryFolder); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// mollyguard returns the path of the program, built once by the Dockerfile's own
// command.
func mollyguard(t testing.TB) string {
	t.Helper()
	path, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildOnce = sync.OnceValues(func() (string, error) {
	d, err := readDockerfile(root + "/Dockerfile")
	if err != nil {
		return "", err
	}
	runs := d.stages[0].all("RUN")
	if len(runs) != 1 || !strings.Contains(runs[0].rest, "-o "+built+" ") {
		return "", errors.New("the Dockerfile's first stage has no one RUN that builds " + built)
	}
	if err := os.MkdirAll(binaryFolder, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(binaryFolder, "mollyguard")
	cmd := exec.Command("sh", "-c", strings.Replace(runs[0].rest, built, path, 1))
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH)
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("run the Dockerfile's %s: %w\n%s", runs[0].rest, err, output)
	}
	return path, nil
})
