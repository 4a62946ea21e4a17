package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// sighting is an Object on its way through a reflector, which looks at its name and
// version.
type sighting struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	object Object
}

// DeepCopyObject implements runtime.Object. Nobody changes a sighting, so it may share.
func (s *sighting) DeepCopyObject() runtime.Object { return new(*s) }

// events is a watch of a kind. It implements watch.Decoder.
type events struct {
	ctx      context.Context
	body     io.ReadCloser
	in       values
	silence  silence
	follower *follower
}

// Decode implements watch.Decoder. A watch that has been silent for too long ends like
// one that the server ends, and a bug in reading an object like one that broke: the
// process lives on, and the kind is Unserved.
func (e *events) Decode() (kind watch.EventType, object runtime.Object, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			e.follower.log.Error("an object made the feed panic: this is a bug, please report it", "panic", problem, "stack", string(debug.Stack()))
			err = fmt.Errorf("the feed panicked: %v", problem)
		}
		if err != nil {
			if errors.Is(context.Cause(e.ctx), errSilent) {
				err = io.EOF
			}
			e.follower.interrupted()
		}
	}()
	event, err := readEvent(e.in)
	if err != nil {
		return "", nil, err
	}
	e.silence.heard()
	if event.kind == watch.Error {
		return event.kind, event.status, nil
	}
	d, err := e.follower.distill(event.data)
	if err != nil {
		return "", nil, err
	}
	return event.kind, &sighting{object: d.object, ObjectMeta: metav1.ObjectMeta{
		Namespace: d.object.Namespace, Name: d.object.Name, ResourceVersion: d.resourceVersion,
	}}, nil
}

// Close implements watch.Decoder.
func (e *events) Close() {
	e.silence.end()
	if err := e.body.Close(); err != nil {
		e.follower.log.Debug("a watch was not closed", "error", err)
	}
}

// reporter tells a reflector of a watch that broke. It implements watch.Reporter.
var reporter = apierrors.NewClientErrorReporter(http.StatusInternalServerError, "watch", "ClientWatchDecoding")
