/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package health

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
)

// computeJob: a Job fails once its controller has given it up.
func computeJob(o *unstructured.Unstructured) (Result, error) {
	j, err := decode[batchv1.Job](o)
	if err != nil {
		return Result{}, err
	}
	for _, c := range j.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobFailed:
			return Result{State: Failing, Since: c.LastTransitionTime.Time, Reason: c.Reason, Message: c.Message}, nil
		case c.Type == batchv1.JobComplete:
			return Result{State: Healthy, Reason: c.Reason, Message: c.Message}, nil
		}
	}
	if ptr.Deref(j.Spec.Suspend, false) {
		return suspended, nil
	}
	return Result{State: Progressing, Reason: "Running", Message: fmt.Sprintf("%d pods are active, %d have failed", j.Status.Active, j.Status.Failed)}, nil
}

// computeCronJob: a CronJob fails while the last of its runs that ended has not succeeded. Its controller writes the time of the last run
// with the list of active ones, and removes a run from the list with the time of its success.
func computeCronJob(o *unstructured.Unstructured) (Result, error) {
	c, err := decode[batchv1.CronJob](o)
	if err != nil {
		return Result{}, err
	}
	started, succeeded := c.Status.LastScheduleTime, c.Status.LastSuccessfulTime
	switch {
	case ptr.Deref(c.Spec.Suspend, false):
		return suspended, nil
	case started == nil:
		return Result{State: Healthy, Reason: "NotScheduled", Message: "no run has begun"}, nil
	case succeeded != nil && !succeeded.Before(started):
		return Result{State: Healthy, Reason: "Succeeded", Message: "the last run succeeded"}, nil
	case len(c.Status.Active) > 0:
		return Result{State: Progressing, Reason: "Running", Message: "a run is active"}, nil
	}
	return Result{State: Failing, Since: started.Time, Reason: "RunFailed", Message: fmt.Sprintf("the run that began at %s did not succeed", started.UTC().Format(time.RFC3339))}, nil
}
