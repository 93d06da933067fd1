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

// QuietStart leaves routine messages out of the log at the level info: those of controller-runtime about each controller, watch and webhook at the
// start, and errors of client-go about the leader election where another replica was faster, or about an event whose Namespace is being deleted. With
// --zap-log-level=debug they are logged.
func QuietStart() zap.Opts {
	return zap.RawZapOpts(uberzap.WrapCore(func(core zapcore.Core) zapcore.Core { return quiet{Core: core} }))
}

// quiet is a core without routine messages. It encodes the fields of a logger with each message: every reconcile has a logger, and few log
// anything.
type quiet struct {
	zapcore.Core

	fields []zapcore.Field
}

// With returns a quiet core with fields.
func (q quiet) With(fields []zapcore.Field) zapcore.Core {
	return quiet{q.Core, slices.Concat(q.fields, fields)}
}

// Check adds the core to a message's cores, if it writes the message.
func (q quiet) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	switch {
	case e.Level == zapcore.InfoLevel && isRoutine(e) && !q.Enabled(zapcore.DebugLevel):
		return checked
	case !q.Enabled(e.Level):
		return checked
	}
	return checked.AddCore(e, q)
}

// Write writes a message. The errors of some decide on their level.
func (q quiet) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if e.Level == zapcore.ErrorLevel && (isOfElection(e) || isOfEvent(e)) && slices.ContainsFunc(fields, func(f zapcore.Field) bool { return isExpected(e, f.Interface) }) {
		e.Level, e.Stack = zapcore.DebugLevel, ""
	}
	if !q.Enabled(e.Level) {
		return nil
	}
	return q.Core.Write(e, slices.Concat(q.fields, fields))
}

// isOfElection reports whether a message is about the leader election.
func isOfElection(e zapcore.Entry) bool { return e.LoggerName == "leaderelection" }

// isOfEvent reports whether a message is about an event that the API server has rejected.
func isOfEvent(e zapcore.Entry) bool {
	return strings.HasPrefix(e.Message, "Server rejected event")
}

// isExpected reports whether the value of a message is an error that no person can remove: another replica was faster, or the events of objects
// that are deleted with their Namespace come after its deletion has begun.
func isExpected(e zapcore.Entry, value any) bool {
	err, ok := value.(error)
	if !ok {
		return false
	}
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
