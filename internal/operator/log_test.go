// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// F-C4: a healthy start makes no line at level error.
func TestQuietStart(t *testing.T) {
	for _, test := range []struct {
		name string
		opts []zap.Opts
		want []string
	}{
		{"info", []zap.Opts{QuietStart()}, []string{"Ready", "broken", "Serving", "Failed to renew", "Server rejected event (will not retry!)"}},
		{"debug", []zap.Opts{QuietStart(), zap.Level(zapcore.DebugLevel)}, []string{"Starting workers", "Registering webhook", "Ready", "broken", "Serving", "Failed to update lease", "Failed to renew",
			"Server rejected event (will not retry!)", "Server rejected event (will not retry!)", "Server rejected event (will not retry!)"}},
	} {
		var out bytes.Buffer
		log := zap.New(append(test.opts, zap.WriteTo(&out), zap.JSONEncoder())...)
		log.WithValues("controller", "alert").Info("Starting workers")
		log.WithName("controller-runtime").WithName("webhook").Info("Registering webhook")
		log.Info("Ready")
		log.WithName("controller-runtime").WithName("webhook").Error(errors.New("no"), "broken")
		log.WithValues("a", 1).Info("Serving")
		log.WithName("leaderelection").Error(apierrors.NewConflict(schema.GroupResource{}, "lease", nil), "Failed to update lease")
		log.WithName("leaderelection").Error(errors.New("no connection"), "Failed to renew")
		// F-U37: a Namespace that is deleted with many objects.
		terminating := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "x", errors.New("the namespace is being terminated"))
		terminating.ErrStatus.Details.Causes = append(terminating.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
		for _, err := range []error{terminating, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "x"), apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "x", errors.New("no right"))} {
			log.WithName("events").Error(err, "Server rejected event (will not retry!)", "event", "e")
		}
		if got := strings.Count(out.String(), "\n"); got != len(test.want) {
			t.Errorf("%s: %d lines, want %d:\n%s", test.name, got, len(test.want), &out)
		}
		for _, message := range test.want {
			if !strings.Contains(out.String(), `"`+message+`"`) {
				t.Errorf("%s: %q is not logged:\n%s", test.name, message, &out)
			}
		}
	}
}
