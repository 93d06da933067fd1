// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// The ids of problems.
const (
	Silent        = "source-silent"
	AlertsPastEnd = "source-past-end"
)

// Problem is a problem with a source for a person, such as that nothing is posted to it.
type Problem struct {
	ID, Severity string
	Source       *v1beta1.AlertSource
	Message, Fix string
}

// Problems returns the problems with AlertSources and their Alerts.
func Problems(objects []cli.Object, now time.Time) (problems []Problem) {
	var all []*v1beta1.AlertSource
	var alerts []*v1beta1.Alert
	for _, object := range objects {
		switch o := object.(type) {
		case *v1beta1.AlertSource:
			all = append(all, o)
		case *v1beta1.Alert:
			alerts = append(alerts, o)
		}
	}
	for _, s := range all {
		fix := fmt.Sprintf("see that the sender runs, its log, and its settings: kubectl bellhop source -n %s %s --print FORMAT", s.Namespace, s.Name)
		if message := Silence(s, now); message != "" {
			problems = append(problems, Problem{Silent, "problem", s, message, fix})
		}
		if message := PastEnd(s, alerts, now); message != "" {
			problems = append(problems, Problem{AlertsPastEnd, "warning", s, message, fix + "; have it post an alert that always fires, such as Watchdog; a person can end an Alert: kubectl bellhop resolve NAME"})
		}
	}
	return problems
}
