// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func TestParseAsk(t *testing.T) {
	const after, severity, receivers = v1beta1.PageAfterAnnotation, v1beta1.PageSeverityAnnotation, v1beta1.PageReceiversAnnotation
	const deadline = v1beta1.PageProgressDeadlineAnnotation
	byDefault := Ask{After: 5 * time.Minute, ProgressDeadline: time.Hour, Severity: v1beta1.SeverityCritical}
	for name, c := range map[string]struct {
		kind        string
		label       string
		annotations map[string]string
		want        Ask
		asks        bool
		err         string
	}{
		"no label":            {kind: "Deployment"},
		"another value":       {kind: "Deployment", label: "yes"},
		"a Deployment":        {kind: "Deployment", label: "true", want: byDefault, asks: true},
		"a Job":               {kind: "Job", label: "true", want: Ask{Severity: v1beta1.SeverityCritical}, asks: true},
		"a CronJob":           {kind: "CronJob", label: "true", want: Ask{ProgressDeadline: time.Hour, Severity: v1beta1.SeverityCritical}, asks: true},
		"a deadline":          {kind: "Job", label: "true", annotations: map[string]string{deadline: "7200"}, want: Ask{ProgressDeadline: 2 * time.Hour, Severity: v1beta1.SeverityCritical}, asks: true},
		"no deadline":         {kind: "CronJob", label: "true", annotations: map[string]string{deadline: "0"}, want: Ask{Severity: v1beta1.SeverityCritical}, asks: true},
		"a longer deadline":   {kind: "Job", label: "true", annotations: map[string]string{deadline: "2592001"}, asks: true, err: `annotation pager.k8s.co/progress-deadline-seconds is "2592001": it has to be a number of seconds from 0 to 2592000`},
		"after a time":        {kind: "Job", label: "true", annotations: map[string]string{after: "90"}, want: Ask{After: 90 * time.Second, Severity: v1beta1.SeverityCritical}, asks: true},
		"at once":             {kind: "Deployment", label: "true", annotations: map[string]string{after: "0"}, want: Ask{ProgressDeadline: time.Hour, Severity: v1beta1.SeverityCritical}, asks: true},
		"after a day":         {kind: "Deployment", label: "true", annotations: map[string]string{after: "86400"}, want: Ask{ProgressDeadline: time.Hour, After: 24 * time.Hour, Severity: v1beta1.SeverityCritical}, asks: true},
		"after more":          {kind: "Deployment", label: "true", annotations: map[string]string{after: "86401"}, asks: true, err: `annotation pager.k8s.co/page-after-seconds is "86401": it has to be a number of seconds from 0 to 86400`},
		"after a word":        {kind: "Deployment", label: "true", annotations: map[string]string{after: "5m"}, asks: true, err: `is "5m"`},
		"before":              {kind: "Deployment", label: "true", annotations: map[string]string{after: "-1"}, asks: true, err: `is "-1"`},
		"after nothing":       {kind: "Deployment", label: "true", annotations: map[string]string{after: ""}, asks: true, err: `is ""`},
		"a severity":          {kind: "Job", label: "true", annotations: map[string]string{severity: "Warning"}, want: Ask{Severity: v1beta1.SeverityWarning}, asks: true},
		"another severity":    {kind: "Job", label: "true", annotations: map[string]string{severity: "warning"}, asks: true, err: `annotation pager.k8s.co/severity is "warning": it has to be Info, Warning or Critical`},
		"receivers":           {kind: "Job", label: "true", annotations: map[string]string{receivers: "oncall, clusterreceiver/chat,receiver/oncall"}, want: Ask{Severity: v1beta1.SeverityCritical, Receivers: []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: "oncall"}, {Kind: v1beta1.KindClusterReceiver, Name: "chat"}}}, asks: true},
		"a kind of none":      {kind: "Job", label: "true", annotations: map[string]string{receivers: "secret/x"}, asks: true, err: `annotation pager.k8s.co/receivers is "secret/x": "secret/x" has to be the name of a Receiver`},
		"no name":             {kind: "Job", label: "true", annotations: map[string]string{receivers: "a,"}, asks: true, err: `"" has to be`},
		"no possible name":    {kind: "Job", label: "true", annotations: map[string]string{receivers: "On_Call"}, asks: true, err: `"On_Call" has to be`},
		"too many receivers":  {kind: "Job", label: "true", annotations: map[string]string{receivers: "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}, asks: true, err: "at most 16 receivers"},
		"sixteen of them":     {kind: "Job", label: "true", annotations: map[string]string{receivers: strings.Repeat("a,", 20) + "a"}, want: Ask{Severity: v1beta1.SeverityCritical, Receivers: []v1beta1.ReceiverRef{{Kind: v1beta1.KindReceiver, Name: "a"}}}, asks: true},
		"annotations only":    {kind: "Job", annotations: map[string]string{after: "x"}},
		"the label of a page": {kind: "Job", label: "True"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &metav1.ObjectMeta{Annotations: c.annotations}
			if c.label != "" {
				o.Labels = map[string]string{v1beta1.PageLabel: c.label}
			}
			got, asks, err := ParseAsk(o, c.kind)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if asks != c.asks || !equal(got, c.want) {
				t.Errorf("got %+v, %t, want %+v, %t", got, asks, c.want, c.asks)
			}
		})
	}
}

func equal(a, b Ask) bool {
	if len(a.Receivers) != len(b.Receivers) {
		return false
	}
	for i := range a.Receivers {
		if a.Receivers[i] != b.Receivers[i] {
			return false
		}
	}
	return a.After == b.After && a.ProgressDeadline == b.ProgressDeadline && a.Severity == b.Severity
}

func TestAnObjectThatIsBeingDeletedAsksForNothing(t *testing.T) {
	o := &metav1.ObjectMeta{Labels: map[string]string{v1beta1.PageLabel: "true"}, DeletionTimestamp: &metav1.Time{}}
	if _, asks, err := ParseAsk(o, "Job"); asks || err != nil {
		t.Errorf("it asks: %t, %v", asks, err)
	}
}
