package breakglass_test

import (
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mollyguard/mollyguard/breakglass"
	"github.com/mollyguard/mollyguard/operation"
)

var update = flag.Bool("update", false, "rewrite the schema that issuing policy is compiled against")

const schemaFile = "../policies/schema/issuance.json"

func TestTheSchemaIssuingPolicyIsCompiledAgainstIsTheOneOfTheTypes(t *testing.T) {
	got, err := operation.Schema(reflect.TypeFor[breakglass.Question](), "Mollyguard issuing policy input")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is out of date, run make generate (-file +types):\n%s", schemaFile, diff)
	}
}

func TestEveryFieldOfAQuestionIsDescribed(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[breakglass.Question](), reflect.TypeFor[breakglass.QuestionRequest]()} {
		for _, field := range reflect.VisibleFields(of) {
			if operation.Visible(field) && (operation.JSONName(field) == "" || field.Tag.Get("desc") == "") {
				t.Errorf("%s.%s lacks a json or desc tag: whoever writes policies reads them", of, field.Name)
			}
		}
	}
}
