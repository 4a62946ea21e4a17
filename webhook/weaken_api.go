package webhook

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mollyguard/mollyguard/operation"
)

// apis are about where objects are served from, and what is kept of them.
var apis = []weakening{
	{
		name: "an API is served by another server", verb: operation.Unprotect, through: itself,
		resources: []string{"apiregistration.k8s.io/apiservices"},
		filter: func(g generator) string {
			return anyOf(
				changed("service"),
				allOf(equals(newSpec, "true", "insecureSkipTLSVerify"), changed("insecureSkipTLSVerify")),
				allOf(changed("caBundle"), g.byHand()),
			)
		},
		judge: judgeAPI,
	},
	{
		name: "a definition keeps less of its objects", verb: operation.Unprotect, through: itself,
		resources: []string{"apiextensions.k8s.io/customresourcedefinitions"},
		filter: func(generator) string {
			return anyOf(
				loses(func(spec string) string { return equals(spec, "true", "preserveUnknownFields") }),
				celFieldsLost(),
			)
		},
		judge: judgeSchema,
	},
}

// judgeAPI looks at whom the API server asks for the objects of a group. Another server
// may say that none of them is there, and the garbage collector believes it: it deletes
// what they own. Injectors of certificates change the bundle all day.
func judgeAPI(u *update) {
	const otherwise = "who answers may say that nothing of it is there, and the garbage collector deletes what that owns"
	if u.byControlPlane() {
		return
	}
	if was, is := u.was.spec("service"), u.is.spec("service"); !is.same(was) {
		u.says("spec.service %s → %s: %s", was.brief(), is.brief(), otherwise)
	}
	if !u.was.spec("insecureSkipTLSVerify").yes() && u.is.spec("insecureSkipTLSVerify").yes() {
		u.says("spec.insecureSkipTLSVerify false → true: %s", otherwise)
	}
	if !u.is.spec("caBundle").same(u.was.spec("caBundle")) && u.byHand() {
		u.says("spec.caBundle changed: %s", otherwise)
	}
}

// What says in a schema that fields are kept which it does not name: true, and anything
// but false.
const (
	keepsUnknown = "x-kubernetes-preserve-unknown-fields"
	keepsMore    = "additionalProperties"
)

// schemas are the two places whose fields are compared: an object itself, and its spec.
var schemas = []struct {
	name string
	path []string
}{
	{"", []string{"schema", "openAPIV3Schema"}},
	{"spec.", []string{"schema", "openAPIV3Schema", "properties", "spec"}},
}

// celFieldsLost is true if a version keeps unknown fields no longer, or has lost one of
// its own. What is too long to compare is sent.
func celFieldsLost() string {
	was, is := at(oldSpec, "[]", "versions"), at(newSpec, "[]", "versions")
	limit := strconv.Itoa(maxCompared)
	var terms []string
	for _, s := range schemas {
		fields := slices.Concat(s.path, []string{"properties"})
		before, after := at("v", "{}", fields...), at("w", "{}", fields...)
		keeps := func(version string) string {
			more := at(version, absent, slices.Concat(s.path, []string{keepsMore})...)
			return anyOf(
				equals(version, "true", slices.Concat(s.path, []string{keepsUnknown})...),
				more+" != null && "+more+" != false",
			)
		}
		terms = append(terms,
			allOf(keeps("v"), "!"+keeps("w")),
			allOf("!"+keeps("w"), before+" != "+after, anyOf("size("+before+") > "+limit, before+".exists(k, !(k in "+after+"))")),
		)
	}
	return "(" + is + " != " + was + " && (size(" + was + ") > " + limit + " || size(" + is + ") > " + limit + " || " +
		was + ".exists(v, " + is + ".exists(w, w.name == v.name && " + anyOf(terms...) + "))))"
}

// judgeSchema looks at what the API server drops from objects when it next reads and
// writes them. Fields further down are not compared.
func judgeSchema(u *update) {
	const gone = "its objects lose what they have there"
	if u.was.spec("preserveUnknownFields").yes() && !u.is.spec("preserveUnknownFields").yes() {
		u.says("spec.preserveUnknownFields true → false: %s", gone)
	}
	before := u.was.versions()
	if len(before) == 0 {
		return
	}
	after := u.is.versions()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		is, stays := after[name]
		if !stays {
			continue // judgeDefinition says so
		}
		for i, s := range schemas {
			was, now := before[name][i], is[i]
			switch {
			case now.keeps:
			case was.keeps:
				u.says("version %s: %sfields that the schema does not name are dropped: %s", clipped(name), s.name, gone)
			default:
				u.fieldsLost(name, s.name, was.fields, now.fields)
			}
		}
	}
}

func (u *update) fieldsLost(version, where string, before, after map[string]bool) {
	var lost []string
	for field := range before {
		if !after[field] {
			lost = append(lost, where+field)
		}
	}
	if len(lost) > 0 {
		slices.Sort(lost)
		u.says("version %s: %s dropped from its schema: its objects lose what they have there", clipped(version), clipped(strings.Join(lost, ", ")))
	}
}

// keptFields is what is compared of one of schemas.
type keptFields struct {
	keeps  bool
	fields map[string]bool
}

// versions are the schemas of a definition's versions, each in the order of schemas.
func (s side) versions() map[string][]keptFields {
	list := map[string][]keptFields{}
	s.spec("versions").items(func(version node) {
		read := make([]keptFields, len(schemas))
		for i, where := range schemas {
			f := version.at(where.path...).pick(keepsUnknown, keepsMore, "properties")
			more := f[1].there() && f[1].text.Kind() != 'f'
			read[i] = keptFields{keeps: f[0].yes() || more, fields: map[string]bool{}}
			f[2].each(func(field string, _ node) { read[i].fields[field] = true })
		}
		list[version.at("name").str()] = read
	})
	return list
}
