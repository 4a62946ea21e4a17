package logging

import (
	"encoding/json"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	// What audit log entries carry in fields of any type, so that it is known by its
	// names. The first is the payload, the others are serviceData: without the second
	// there would be no policyDelta
	// (https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog).
	_ "cloud.google.com/go/iam/admin/apiv1/adminpb"
	_ "google.golang.org/genproto/googleapis/cloud/audit"
	_ "google.golang.org/genproto/googleapis/cloud/bigquery/logging/v1"
	_ "google.golang.org/genproto/googleapis/iam/v1/logging"
)

// JSON is an entry as the REST API and log sinks write it: with the same names. It
// never fails, where protojson would: a value of a type that is not known here, or that
// is not what its type says, is written as {"@type": …, "value": BASE64}; numbers that
// JSON does not have are texts. Numbers stand for what an enumeration does not know.
// Only fields that this version does not know by name are left out.
func JSON(e *loggingpb.LogEntry) []byte {
	c := conversion{opaque: map[string]bool{}}
	if text, err := c.marshal(e); err == nil {
		return text
	}
	c.tidy = true
	text, err := c.marshal(e)
	if err == nil {
		return text
	}
	if payload := e.GetProtoPayload(); payload != nil {
		c.opaque[payload.GetTypeUrl()] = true
		if text, err := c.marshal(e); err == nil {
			return text
		}
	}
	return unwritable(e, err)
}

// unwritable says what entry it was that cannot be written, for people: an audit log
// entry without a method is not taken for one that was read.
func unwritable(e *loggingpb.LogEntry, cause error) []byte {
	text, err := json.Marshal(map[string]string{ // it makes texts valid UTF-8
		"logName": e.GetLogName(), "insertId": e.GetInsertId(), "error": cause.Error(),
		"timestamp": e.GetTimestamp().AsTime().Format(time.RFC3339Nano),
	})
	if err != nil {
		return []byte("null")
	}
	return text
}

// conversion writes one entry.
type conversion struct {
	// opaque are the types of which no value is looked into.
	opaque map[string]bool
	// tidy replaces what JSON does not have.
	tidy bool
}

// untyped stands for a type that is not named.
const untyped = "type.googleapis.com/untyped"

func (c *conversion) marshal(e *loggingpb.LogEntry) ([]byte, error) {
	c.look(e.ProtoReflect(), 0)
	if len(c.opaque) > 0 || c.tidy {
		e = proto.CloneOf(e)
		if err := c.rewrite(e.ProtoReflect()); err != nil {
			return nil, err
		}
	}
	return protojson.MarshalOptions{AllowPartial: true, Resolver: c}.Marshal(e)
}

// maxNesting is how deep values of any type are in each other that are looked into:
// Google's have two.
const maxNesting = 8

// look finds the types that cannot be looked into.
func (c *conversion) look(m protoreflect.Message, depth int) {
	each(m, func(m protoreflect.Message) {
		value, ok := m.Interface().(*anypb.Any)
		if !ok || c.opaque[value.GetTypeUrl()] || value.GetTypeUrl() == "" && len(value.GetValue()) == 0 {
			return
		}
		inner, err := c.unpack(value)
		if err != nil || depth >= maxNesting {
			c.opaque[value.GetTypeUrl()] = true
			return
		}
		c.look(inner.ProtoReflect(), depth+1)
	})
}

func (c *conversion) unpack(value *anypb.Any) (proto.Message, error) {
	return anypb.UnmarshalNew(value, proto.UnmarshalOptions{AllowPartial: true, Resolver: protoregistry.GlobalTypes})
}

// rewrite makes values of opaque types bytes, and tidies if that is asked for.
func (c *conversion) rewrite(m protoreflect.Message) (err error) {
	each(m, func(m protoreflect.Message) {
		switch value := m.Interface().(type) {
		case *anypb.Any:
			if failed := c.rewriteAny(value); failed != nil {
				err = failed
			}
		case *structpb.Value:
			if c.tidy {
				tidy(value)
			}
		}
	})
	return err
}

func (c *conversion) rewriteAny(value *anypb.Any) error {
	if value.GetTypeUrl() == "" && len(value.GetValue()) == 0 {
		return nil
	}
	if c.opaque[value.GetTypeUrl()] {
		raw, err := proto.Marshal(wrapperspb.Bytes(value.GetValue()))
		if err != nil {
			return err
		}
		value.Value = raw
		if value.TypeUrl == "" {
			value.TypeUrl = untyped
			c.opaque[untyped] = true
		}
		return nil
	}
	inner, err := c.unpack(value)
	if err != nil {
		return err
	}
	if err := c.rewrite(inner.ProtoReflect()); err != nil {
		return err
	}
	value.Value, err = proto.MarshalOptions{AllowPartial: true}.Marshal(inner)
	return err
}

// tidy replaces what JSON does not have, and a value that is none.
func tidy(value *structpb.Value) {
	switch kind := value.GetKind().(type) {
	case nil:
		value.Kind = &structpb.Value_NullValue{}
	case *structpb.Value_NumberValue:
		if n := kind.NumberValue; n != n || n-n != 0 { // not a number, or infinite
			value.Kind = &structpb.Value_StringValue{StringValue: strings.Trim(jsonNumber(n), `"`)}
		}
	}
}

// jsonNumber is what protobuf's JSON has for a number.
func jsonNumber(n float64) string {
	text, err := protojson.Marshal(wrapperspb.Double(n))
	if err != nil {
		return "NaN"
	}
	return string(text)
}

// each calls do with a message and those in its fields.
func each(m protoreflect.Message, do func(protoreflect.Message)) {
	do(m)
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			if field.MapValue().Message() != nil {
				value.Map().Range(func(_ protoreflect.MapKey, value protoreflect.Value) bool {
					each(value.Message(), do)
					return true
				})
			}
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				each(value.List().Get(i).Message(), do)
			}
		default:
			each(value.Message(), do)
		}
		return true
	})
}

// FindMessageByURL implements protoregistry.MessageTypeResolver: a value of an opaque
// type was made bytes by rewrite.
func (c *conversion) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if c.opaque[url] {
		return (*wrapperspb.BytesValue)(nil).ProtoReflect().Type(), nil
	}
	return protoregistry.GlobalTypes.FindMessageByURL(url)
}

// FindMessageByName implements protoregistry.MessageTypeResolver.
func (c *conversion) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

// FindExtensionByName implements protoregistry.ExtensionTypeResolver.
func (c *conversion) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByName(name)
}

// FindExtensionByNumber implements protoregistry.ExtensionTypeResolver.
func (c *conversion) FindExtensionByNumber(message protoreflect.FullName, field protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByNumber(message, field)
}
