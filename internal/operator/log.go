// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"slices"
	"strings"

	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// QuietStart leaves out of the log, at the level info, what controller-runtime says of each controller, watch and webhook as it starts, and what
// client-go calls an error of the leader election where another replica was faster, or of an event whose Namespace is being deleted. With
// --zap-log-level=debug it is there.
func QuietStart() zap.Opts {
	return zap.RawZapOpts(uberzap.WrapCore(func(core zapcore.Core) zapcore.Core { return quiet{core} }))
}

// quiet is a core without routine messages.
type quiet struct{ zapcore.Core }

// With returns a quiet core with fields.
func (q quiet) With(fields []zapcore.Field) zapcore.Core { return quiet{q.Core.With(fields)} }

// Check adds the core to a message's cores, if it writes the message.
func (q quiet) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	switch {
	case e.Level == zapcore.InfoLevel && isRoutine(e) && !q.Enabled(zapcore.DebugLevel):
		return checked
	case e.Level == zapcore.ErrorLevel && (isOfElection(e) || isOfEvent(e)):
		return checked.AddCore(e, q) // its error decides
	}
	return q.Core.Check(e, checked)
}

// Write writes a message whose error decides on its level.
func (q quiet) Write(e zapcore.Entry, fields []zapcore.Field) error {
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && isExpected(e, err) {
			e.Level, e.Stack = zapcore.DebugLevel, ""
		}
	}
	if !q.Enabled(e.Level) {
		return nil
	}
	return q.Core.Write(e, fields)
}

// isOfElection reports whether a message is about the leader election.
func isOfElection(e zapcore.Entry) bool { return e.LoggerName == "leaderelection" }

// isOfEvent reports whether a message is about an event that the API server has rejected.
func isOfEvent(e zapcore.Entry) bool {
	return strings.HasPrefix(e.Message, "Server rejected event")
}

// isExpected reports whether a message has no error that a person can remove: another replica was faster, or the events of objects that are
// deleted with their Namespace come after its deletion has begun.
func isExpected(e zapcore.Entry, err error) bool {
	if isOfElection(e) {
		return apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err)
	}
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err)
}

// isRoutine reports whether a message is about the start of a part that always starts.
func isRoutine(e zapcore.Entry) bool {
	return strings.HasPrefix(e.LoggerName, "controller-runtime.") ||
		slices.Contains([]string{"Starting EventSource", "Starting Controller", "Starting workers", "starting server"}, e.Message)
}
