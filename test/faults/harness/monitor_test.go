// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"io"
	"testing"
	"time"
)

func TestLogMonitor(t *testing.T) {
	m := logMonitor{out: io.Discard}
	for _, step := range []struct {
		text string
		want bool
	}{
		{`{"msg":"Starting"}` + "\n", false},
		{`{"msg":"Reconciling","controller":"a","name":"x"}` + "\n" + `{"msg":"Rec`, true},
		{`onciling","controller":"b","name":"x"}` + "\n", true},
		{`{"msg":"Reconcile done, requeueing after 1h0m1.5s","controller":"a","name":"x"}` + "\n", true},
		{`{"msg":"Reconciler error","controller":"b","name":"x"}`, true},
		{"\n", false},
		{`{"msg":"Reconciling","controller":"a","name":"x"}` + "\n" + `{"msg":"Reconcile done, requeueing after 4s","controller":"a","name":"x"}` + "\n", true},
		{`{"msg":"Reconciling","controller":"b","name":"x"}` + "\n" + `{"msg":"Reconcile successful","controller":"b","name":"x"}` + "\n", true},
		{`{"msg":"Reconciling","controller":"a","name":"x"}` + "\n" + `{"msg":"Reconcile done, requeueing","controller":"a","name":"x"}` + "\n", false},
	} {
		if _, err := m.Write([]byte(step.text)); err != nil || m.isBusy(time.Minute) != step.want {
			t.Errorf("%v after %q, %v", m.isBusy(time.Minute), step.text, err)
		}
	}
}
