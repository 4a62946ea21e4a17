package operation

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// schemaDialect is draft 7, the newest that OPA's schema reader understands
// (https://www.openpolicyagent.org/docs/schemas).
const schemaDialect = "http://json-schema.org/draft-07/schema#"

// enumerated is a string type with a closed set of values.
type enumerated interface{ Values() []string }

// Input is the document that a policy sees as input: the operation, the grant
// that was found for it, and the configuration's own values for policies.
type Input struct {
	Operation
	Grant  *Grant         `json:"grant" desc:"the break-glass grant found for the operation, or null"`
	Config map[string]any `json:"config" desc:"policies.config of the configuration file"`
}

// InputSchema returns the JSON Schema of Input.
func InputSchema() ([]byte, error) {
	return Schema(reflect.TypeFor[Input](), "Mollyguard policy input")
}

// Schema returns the JSON Schema of a type that policies see. Objects are closed,
// so that a policy that mentions a field which does not exist fails to compile.
// Descriptions come from the fields' desc tags; a field whose name in JSON is "-"
// is left out.
func Schema(of reflect.Type, title string) ([]byte, error) {
	schema := schemaOf(of)
	schema["$schema"] = schemaDialect
	schema["title"] = title
	data, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

func schemaOf(t reflect.Type) map[string]any {
	if t == reflect.TypeFor[time.Time]() {
		return map[string]any{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Struct:
		properties := map[string]any{}
		for _, field := range reflect.VisibleFields(t) {
			if !Visible(field) {
				continue
			}
			property := schemaOf(field.Type)
			property["description"] = field.Tag.Get("desc")
			properties[JSONName(field)] = property
		}
		return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	case reflect.Pointer:
		return map[string]any{"anyOf": []any{map[string]any{"type": "null"}, schemaOf(t.Elem())}}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return map[string]any{"type": "object", "additionalProperties": true}
		}
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	default: // strings; TestSchema fails for a kind that is none of these
		schema := map[string]any{"type": "string"}
		if values, ok := reflect.Zero(t).Interface().(enumerated); ok {
			schema["enum"] = values.Values()
		}
		return schema
	}
}

// Visible reports whether policies see a field of Input or of what it holds.
func Visible(field reflect.StructField) bool {
	return !field.Anonymous && field.IsExported() && JSONName(field) != "-"
}

// JSONName returns the name of a field of Input or of what it holds in JSON.
func JSONName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}
