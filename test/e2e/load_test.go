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

package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// load creates Receivers in dry runs, whose webhook has the failurePolicy Fail.
type load struct {
	stop     context.CancelFunc
	done     sync.WaitGroup
	accepted atomic.Int64
	mu       sync.Mutex
	refused  []string
}

// startLoad makes requests per second until stopped.
func startLoad(ctx context.Context, perSecond int) *load {
	ctx, stop := context.WithCancel(ctx)
	l := &load{stop: stop}
	l.done.Go(func() {
		for tick := time.Tick(time.Second / time.Duration(perSecond)); ctx.Err() == nil; <-tick {
			l.done.Go(func() { l.request(context.WithoutCancel(ctx)) })
		}
	})
	return l
}

func (l *load) request(ctx context.Context) {
	r := &pagerv1beta1.Receiver{ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "load-"}}
	r.Spec.Event = &pagerv1beta1.EventProvider{}
	if err := kube.Create(ctx, r, client.DryRunAll); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refused = append(l.refused, fmt.Sprintf("%s: %v", time.Now().Format(time.TimeOnly), err))
		return
	}
	l.accepted.Add(1)
}

// expectNoRefusal ends the load, none of whose requests may have been refused.
func (l *load) expectNoRefusal() {
	GinkgoHelper()
	l.stop()
	l.done.Wait()
	AddReportEntry("admission requests", fmt.Sprintf("%d accepted, %d refused", l.accepted.Load(), len(l.refused)))
	Expect(l.refused).To(BeEmpty(), "%d were accepted", l.accepted.Load())
	Expect(l.accepted.Load()).To(BeNumerically(">", 100))
}
