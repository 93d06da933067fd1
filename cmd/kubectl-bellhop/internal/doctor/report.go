// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"slices"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// Status is the result of a check, or the severity of a finding.
type Status string

// Statuses. Findings are a Warning or a Problem.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Problem Status = "problem"
	// Skipped is of a check that could not be made, for a reason that is no problem.
	Skipped Status = "skipped"
)

// Check is one thing that was checked.
type Check struct {
	ID      string `json:"id"`
	Status  Status `json:"status"`
	Message string `json:"message"`
}

// Finding is a problem, with advice.
type Finding struct {
	// ID names the kind of finding, and stays the same from version to version.
	ID string `json:"id"`
	// Check is the id of the check.
	Check    string `json:"check"`
	Severity Status `json:"severity"`
	// Object is KIND/NAME.
	Object    string `json:"object"`
	Namespace string `json:"namespace,omitempty"`
	Message   string `json:"message"`
	Fix       string `json:"fix"`
}

// label is the object with its namespace.
func (f *Finding) label() string {
	if f.Namespace == "" {
		return f.Object
	}
	return f.Object + " in " + f.Namespace
}

// Report has the results of all checks.
type Report struct {
	Findings []Finding `json:"findings"`
	Checks   []Check   `json:"checks"`
}

// result is the result of one check.
type result struct {
	// message is the line of the check: a text that all is right, or the number of problems.
	message string
	// skipped: the check could not be made; message says why.
	skipped  bool
	findings []Finding
}

// check looks for one kind of fault.
type check struct {
	id  string
	run func(ctx context.Context, i *inspector) (result, error)
	// group is the API group whose objects it is about, empty where it is about the installation.
	group string
}

// checks are in the order in which one fault causes those below it.
var checks = []check{
	{"crds", checkAPI, ""},
	{"webhooks", checkWebhooks, ""},
	{"certificates", checkCertificates, ""},
	{"operator", checkOperator, ""},
	{"leader", checkLeader, ""},
	{"admission", checkAdmission, ""},
	{"rights", checkRights, ""},
	{"brokers", checkBrokers, cli.ServicesGroup},
	{"receivers", checkReceivers, cli.PagerGroup},
	{"defaults", checkDefaults, cli.PagerGroup},
	{"sources", checkSources, cli.PagerGroup},
	{"services", checkServices, cli.ServicesGroup},
	{"alerts", checkAlerts, cli.PagerGroup},
	{"watched", checkWatched, cli.PagerGroup},
	{"secrets", checkSecrets, cli.ServicesGroup},
	{"injection", checkInjection, cli.ServicesGroup},
	{"deletions", checkDeletions, ""},
}

// skip is the result of a check that could not be made.
func skip(format string, args ...any) (result, error) {
	return result{message: fmt.Sprintf(format, args...), skipped: true}, nil
}

// skipForbidden is the result of a check whose objects the user may not read; other errors are returned.
func skipForbidden(err error) (result, error) {
	if isForbidden(err) {
		return skip("%s", kinds.Reason(err))
	}
	return result{}, err
}

func (r *result) add(f Finding) { r.findings = append(r.findings, f) }

// severity is the severity of the worst finding, OK without findings.
func (r *result) severity() Status {
	status := OK
	for _, f := range r.findings {
		if f.Severity == Problem {
			return Problem
		}
		status = Warning
	}
	return status
}

func (r *Report) add(id string, found result) {
	c := Check{ID: id, Status: found.severity(), Message: found.message}
	if found.skipped && c.Status == OK {
		c.Status = Skipped
	}
	r.Checks = append(r.Checks, c)
	for _, f := range found.findings {
		f.Check = id
		r.Findings = append(r.Findings, f)
	}
}

func (r *Report) hasProblem() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Problem })
}

// summary counts the findings.
func (r *Report) summary() string {
	counts := map[Status]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
	}
	if len(r.Findings) == 0 {
		return "No findings"
	}
	return fmt.Sprintf("%s, %s", cli.Count(counts[Problem], "problem"), cli.Count(counts[Warning], "warning"))
}
