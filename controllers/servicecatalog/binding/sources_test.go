// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// largeSecrets are Secrets of 1 MiB that take a while to read. They count what is held by reader, which is the first part of the name.
type largeSecrets struct {
	client.Reader

	mu   sync.Mutex
	held map[string]int
	most int // of all, at a time
}

func (l *largeSecrets) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	s, ok := o.(*corev1.Secret)
	if !ok {
		return l.Reader.Get(ctx, key, o, opts...)
	}
	reader, _, _ := strings.Cut(key.Name, "-")
	l.mu.Lock()
	l.held[reader]++
	l.mu.Unlock()
	time.Sleep(10 * time.Millisecond) // until then, readers that have ended have dropped theirs
	l.mu.Lock()
	sum := 0
	for _, n := range l.held {
		sum += n
	}
	l.most = max(l.most, sum)
	l.mu.Unlock()
	s.Name, s.Namespace, s.Data = key.Name, key.Namespace, map[string][]byte{"k": []byte("{}")}
	return nil
}

func (l *largeSecrets) drop(reader string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, reader)
}

// F-S40, F-S41: Secrets that a binding copies, or has parameters from, were read by all workers at a time, and those that it copies were
// kept during the request: 960 bindings took 1 GiB.
func TestSecretsAreReadInTurn(t *testing.T) {
	for _, need := range []rules.Need{rules.NeedSources, rules.NeedParameters, rules.NeedSecret} {
		t.Run(string(need), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := controllertest.NewCluster(t, interceptor.Funcs{})
				live := &largeSecrets{Reader: c, held: map[string]int{}}
				r := newReconciler(c, c, live, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
				var done sync.WaitGroup
				for i := range 128 {
					done.Go(func() {
						reader := fmt.Sprint("r", i)
						f := newBindingSample()
						f.b.Spec.SecretName = reader
						f.b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: reader + "-p", Key: "missing"}}}
						for n := range 4 {
							f.b.Spec.SecretTransforms = append(f.b.Spec.SecretTransforms, v1beta1.SecretTransform{AddKeysFrom: &v1beta1.AddKeysFromTransform{SecretRef: &v1beta1.ObjectReference{Name: fmt.Sprintf("%s-%d", reader, n)}}})
						}
						start := time.Now()
						err := viewOf(r, f.b, f.in).Supply(t.Context(), need)
						live.drop(reader)
						if took := time.Since(start); err != nil && !errors.Is(err, secrets.ErrBusy) || took > time.Second {
							t.Errorf("%v, after %s", err, took)
						}
					})
				}
				done.Wait()
				if live.most > 4 {
					t.Errorf("%d MiB are held", live.most)
				}
			})
		})
	}
}

// F-S41: what the Secret needs is read before the broker is asked, and read again only where it has changed, or is written.
func TestTheJudgementOnSourcesIsKept(t *testing.T) {
	f := newBindingSample(copying)
	reads := 0
	more := &corev1.Secret{}
	more.Namespace, more.Name, more.Data = "ns", "more", map[string][]byte{"k": []byte("v")}
	c := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if _, ok := o.(*corev1.Secret); ok && key.Name == "more" {
			reads++
		}
		return c.Get(ctx, key, o, opts...)
	}}, f.b, more)
	r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
	record := &engine.Memory{}
	observed := func() *scope {
		s := viewOf(r, f.b, f.in)
		s.Memory = record
		s.recall()
		if err := r.observeSecret(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, want := range []int{1, 1, 1} {
		s := observed()
		if s.Decide(t.Context()); s.next.Need == rules.NeedSources {
			if err := s.Supply(t.Context(), s.next.Need); err != nil {
				t.Fatal(err)
			}
			s.Decide(t.Context())
		}
		if s.remember(); s.next.Request == nil || reads != want {
			t.Errorf("%d reads, and the request is %+v, want %d reads and a request", reads, s.next.Request, want)
		}
	}
	more.Data = map[string][]byte{"k": []byte("other")}
	if err := c.Update(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	s := observed()
	if s.Decide(t.Context()); s.next.Need != rules.NeedSources {
		t.Errorf("a Secret has changed, and %+v", s.next)
	}
	s.memory.Received = &bindingrules.Received{BindingID: "id", Binding: newCredentials("x")}
	if err := r.writeSecret(t.Context(), s); err != nil || reads != 2 {
		t.Errorf("%v, after %d reads", err, reads)
	}
	secret, err := r.secrets.Read(t.Context(), f.b)
	if err != nil || secret == nil || string(secret.Data["k"]) != "other" {
		t.Errorf("the Secret is %v, %v", secret, err)
	}
}
