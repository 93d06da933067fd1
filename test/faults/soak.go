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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/output"
)

// A soak has users do what they like and things fail, round by round. At the end of each
// round all is left alone, and has to be right once it has come to rest.
type soak struct {
	*run
	out     io.Writer
	seed    uint64
	began   time.Time
	meter   *meter
	actions atomic.Int64
	round   int
	bad     int
}

const (
	users = 4
	// each has so many objects of a kind.
	belongings = 4
	roundTime  = 20 * time.Second
	// restTime is how long it may take until all is at rest: whoever was told to wait does.
	restTime = 3 * time.Minute
)

// soakFor goes on for a time, and draws what it took into a file, if there is a path.
func soakFor(ctx context.Context, o options, out io.Writer) (err error) {
	l, err := newLab(ctx, o.operator)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &soak{run: &run{lab: l, director: newDirector(l.newest), log: &output.Buffer{}}, out: out, seed: o.seed, began: time.Now()}
	if s.world, err = newWorld(ctx, l, s.director, s.killLeader, scenario{}); err != nil {
		return err
	}
	defer s.close()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "seed %d\n%s\n", o.seed, soakHeader)
	for time.Since(s.began) < o.soak && ctx.Err() == nil {
		if err := s.turn(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d rounds, %d actions, %d violations, %s, seed %d\n", s.round, s.actions.Load(), s.bad, time.Since(s.began).Round(time.Second), o.seed)
	if o.svg != "" {
		if err := os.WriteFile(o.svg, s.meter.svg(), 0o600); err != nil {
			return err
		}
	}
	if s.bad > 0 {
		return fmt.Errorf("%d violations", s.bad)
	}
	return nil
}

func (s *soak) prepare(ctx context.Context) (err error) {
	if s.meter, err = newMeter(ctx, s.lab, s.world.namespace); err != nil {
		return err
	}
	s.follow = func(p *process) { s.meter.follow(p.cmd.Process.Pid) }
	if err := s.startLeader(ctx); err != nil {
		return err
	}
	err = s.play(func(w *world) {
		threeReceivers(w)
		registered(w)
		w.repeats = math.MaxInt32 // the operator is killed again and again
		w.broker.Change(func(o *osbtest.Options) { o.Terse, o.Patient = true, true })
	})
	if err != nil {
		return fmt.Errorf("preparing: %w\n%s", err, s.log)
	}
	go s.meter.run(ctx)
	return nil
}

// startLeader has a new process.
func (s *soak) startLeader(ctx context.Context) error {
	p, err := s.start(ctx, false, "", "--metrics-bind-address="+s.meter.address)
	if err != nil {
		return err
	}
	s.lead(p)
	return nil
}

// turn is one round.
func (s *soak) turn(ctx context.Context) error {
	s.round++
	r := rand.New(rand.NewPCG(s.seed, uint64(s.round)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.director.arm(fault{})
	watched := s.world.watch(ctx)
	trouble := troubles[r.IntN(len(troubles))]
	busy, rest := context.WithTimeout(ctx, roundTime)
	var all sync.WaitGroup
	for user := range users {
		random := rand.New(rand.NewPCG(r.Uint64(), uint64(user)))
		all.Go(func() { s.use(busy, random, user) })
	}
	wait(busy, time.Duration(r.IntN(5))*time.Second)
	err := trouble.do(s, busy, r)
	all.Wait()
	rest()
	if err != nil {
		return fmt.Errorf("%s: %w", trouble.name, err)
	}
	quiet := time.Now()
	problem := s.settle()
	took := time.Since(quiet)
	s.world.check(true)
	s.world.broker.Forget()
	if problem != nil {
		s.world.blame("%v", problem)
	}
	reading := s.meter.rest(s.world)
	cancel()
	watched()
	s.tell(trouble.name, took, reading)
	return nil
}

const soakHeader = " time  round  trouble                        actions  calls  at rest after  resident MiB  goroutines  violations"

// tell prints a line of the table, and what was wrong.
func (s *soak) tell(trouble string, took time.Duration, reading sample) {
	w := s.world
	log := s.log.Take()
	w.checkLog(log, false)
	w.mu.Lock()
	problems := w.problems
	w.problems = nil
	w.mu.Unlock()
	s.bad += len(problems)
	fmt.Fprintf(s.out, "%5s  %5d  %-29s  %7d  %5d  %12.1fs  %12.1f  %10d  %10d\n", clock(time.Since(s.began)), s.round, trouble, s.actions.Load(),
		len(s.director.calls()), took.Seconds(), reading.resident/(1<<20), int(reading.goroutines), len(problems))
	if len(problems) == 0 {
		return
	}
	file := filepath.Join(os.TempDir(), fmt.Sprintf("bellhop-soak-%d-%d.log", s.seed, s.round))
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		file = err.Error()
	}
	fmt.Fprintf(s.out, "VIOLATION in round %d with %s\n  %s\n  the operator's log: %s\n  again: make soak MINUTES=%.0f SEED=%d\n", s.round, trouble,
		strings.Join(problems, "\n  "), file, time.Since(s.began).Minutes()+1, s.seed)
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// use is what a user does until the time is over. What is refused, or fails as something is
// out of order, is not done.
func (s *soak) use(ctx context.Context, r *rand.Rand, user int) {
	for ctx.Err() == nil {
		name := fmt.Sprintf("%d-%d", user, r.IntN(belongings))
		act := []func(context.Context, *rand.Rand, string) error{s.page, s.page, s.provision, s.bind}[r.IntN(4)]
		if act(ctx, r, name) == nil {
			s.actions.Add(1)
		}
		wait(ctx, time.Duration(50+r.IntN(400))*time.Millisecond)
	}
}

// either creates an object, or changes or removes the one there is.
func either[T client.Object](ctx context.Context, s *soak, r *rand.Rand, o T, change func(T), before ...client.Object) error {
	c := s.lab.client
	switch err := c.Get(ctx, client.ObjectKeyFromObject(o), o); {
	case apierrors.IsNotFound(err):
		o.SetResourceVersion("")
		change(o)
		return c.Create(ctx, o)
	case err != nil:
		return err
	}
	if r.IntN(3) > 0 {
		change(o)
		return c.Update(ctx, o)
	}
	for _, b := range append(before, o) {
		if err := c.Delete(ctx, b); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

func (s *soak) page(ctx context.Context, r *rand.Rand, name string) error {
	return either(ctx, s, r, s.world.alert("alert-"+name), func(a *pagerv1beta1.Alert) {
		a.Spec.Content = fmt.Sprintf("the disk is %d %% full", r.IntN(100))
		a.Spec.Severity = []pagerv1beta1.Severity{pagerv1beta1.SeverityInfo, pagerv1beta1.SeverityWarning, pagerv1beta1.SeverityCritical}[r.IntN(3)]
		a.Spec.State = []pagerv1beta1.AlertState{pagerv1beta1.AlertFiring, pagerv1beta1.AlertFiring, pagerv1beta1.AlertResolved}[r.IntN(3)]
		a.Spec.ReceiverRefs = s.world.alert("", []string{"hook", "desk", "boss"}[r.IntN(3):]...).Spec.ReceiverRefs
	})
}

func (s *soak) provision(ctx context.Context, r *rand.Rand, name string) error {
	class, plans := syncClass, []string{syncPlan, syncOther}
	if name[len(name)-1]%2 == 0 {
		class, plans = asyncClass, []string{asyncPlan, asyncOther}
	}
	return either(ctx, s, r, s.world.instance("db-"+name, class, ""), func(si *v1beta1.ServiceInstance) {
		si.Spec.ServicePlanExternalName = plans[r.IntN(2)]
		si.Spec.Parameters = parameters(fmt.Sprintf(`{"size":%d}`, r.IntN(100)))
	}, s.world.binding("app-"+name, ""))
}

// bind is for instances that are there.
func (s *soak) bind(ctx context.Context, r *rand.Rand, name string) error {
	si := s.world.instance("db-"+name, "", "")
	if err := s.lab.client.Get(ctx, client.ObjectKeyFromObject(si), si); err != nil {
		return err
	}
	return either(ctx, s, r, s.world.binding("app-"+name, si.Name), func(*v1beta1.ServiceBinding) {})
}

// A trouble is what goes wrong in a round.
type trouble struct {
	name string
	do   func(*soak, context.Context, *rand.Rand) error
}

var troubles = []trouble{
	{"nothing", func(*soak, context.Context, *rand.Rand) error { return nil }},
	{"operator killed", (*soak).crash},
	{"operator killed twice", func(s *soak, ctx context.Context, r *rand.Rand) error {
		return errors.Join(s.crash(ctx, r), s.crash(ctx, r))
	}},
	{"broker broken", (*soak).breakBroker},
	{"broker broken, operator killed", func(s *soak, ctx context.Context, r *rand.Rand) error {
		return errors.Join(s.breakBroker(ctx, r), s.crash(ctx, r))
	}},
	{"receiver hangs", (*soak).hangReceiver},
	{"API server restarted", func(s *soak, ctx context.Context, _ *rand.Rand) error {
		return s.lab.cluster.RestartAPIServer(context.WithoutCancel(ctx))
	}},
}

// crash is kill -9 in the middle of something, and another process.
func (s *soak) crash(ctx context.Context, r *rand.Rand) error {
	wait(ctx, time.Duration(r.IntN(3000))*time.Millisecond)
	s.killLeader()
	wait(ctx, time.Duration(r.IntN(2000))*time.Millisecond)
	return s.startLeader(context.WithoutCancel(ctx))
}

// breakBroker has some operations go wrong for a while, carried out or not.
func (s *soak) breakBroker(ctx context.Context, r *rand.Rand) error {
	lifted := make(chan struct{})
	hang := func(http.ResponseWriter, *http.Request, osbtest.Call) {
		<-lifted // the seam does not say when who asks has given up
		panic(http.ErrAbortHandler)
	}
	answers := []osbtest.Answer{osbtest.Status(500, `{"description":"oops"}`), osbtest.Drop, hang, osbtest.Status(502, "<html>Bad Gateway</html>")}
	operations := []osb.Operation{"", osb.ProvisionInstance, osb.DeprovisionInstance, osb.Bind, osb.Unbind, osb.UpdateInstance}
	lift := s.world.broker.Inject(osbtest.Fault{On: operations[r.IntN(len(operations))], Acts: r.IntN(2) == 0, Answer: answers[r.IntN(len(answers))]})
	wait(ctx, time.Duration(3+r.IntN(6))*time.Second)
	lift()
	close(lifted)
	return nil
}

// hangReceiver has one not answer for a while.
func (s *soak) hangReceiver(ctx context.Context, r *rand.Rand) error {
	p := s.world.addressees[[]string{"hook", "desk", "boss"}[r.IntN(3)]]
	lifted := make(chan struct{})
	p.inbox.Respond(func(*http.Request) (int, http.Header, string) {
		<-lifted
		return 0, nil, ""
	})
	wait(ctx, time.Duration(3+r.IntN(6))*time.Second)
	p.inbox.Respond(p.recognise)
	close(lifted)
	return nil
}

// settle waits until all objects are as they have to be, and nothing more is asked.
func (s *soak) settle() error {
	end := time.Now().Add(restTime)
	for {
		open, err := s.open()
		if err == nil && len(open) == 0 {
			break
		}
		if time.Now().After(end) {
			return errors.Join(append(open, err, fmt.Errorf("%d objects are not as they have to be within %s", len(open), restTime))...)
		}
		wait(s.world.ctx, 200*time.Millisecond)
		if err := s.world.ctx.Err(); err != nil {
			return err
		}
	}
	if calls := s.untilQuiet(2500 * time.Millisecond); calls != "" {
		return fmt.Errorf("it does not come to rest: %s", calls)
	}
	return nil
}

// open says which objects are not yet as their users asked.
func (s *soak) open() (problems []error, err error) {
	all, err := s.world.objects()
	if err != nil {
		return nil, err
	}
	instances, held := map[string]*v1beta1.ServiceInstance{}, map[string]bool{}
	for _, o := range all {
		switch o := o.(type) {
		case *v1beta1.ServiceInstance:
			instances[o.Name] = o
		case *v1beta1.ServiceBinding:
			held[o.Spec.InstanceRef.Name] = true
		}
	}
	for _, o := range all {
		var problem error
		switch o := o.(type) {
		case *pagerv1beta1.Alert:
			problem = s.delivered(o)
		case *v1beta1.ServiceInstance:
			if !o.DeletionTimestamp.IsZero() && held[o.Name] {
				break // it waits for its bindings
			}
			problem = s.arranged(o)
		case *v1beta1.ServiceBinding:
			if si := instances[o.Spec.InstanceRef.Name]; o.DeletionTimestamp.IsZero() && (si == nil || !si.DeletionTimestamp.IsZero()) {
				break // it waits for an instance
			}
			problem = arranged(o, o.Status.Conditions, o.Status.ReconciledGeneration)
		}
		if problem != nil {
			problems = append(problems, fmt.Errorf("%T %s: %w", o, o.GetName(), problem))
		}
	}
	return problems, nil
}

func arranged(o client.Object, conditions []v1beta1.Condition, observed int64) error {
	if !o.GetDeletionTimestamp().IsZero() {
		return fmt.Errorf("it is not gone: %s", describe(o))
	}
	return trueFor(conditions, observed, o)
}

// arranged says what an instance still waits for, or how the broker has it otherwise.
func (s *soak) arranged(si *v1beta1.ServiceInstance) error {
	if err := arranged(si, si.Status.Conditions, si.Status.ReconciledGeneration); err != nil {
		return err
	}
	if has := s.world.broker.Holds().Instances[idOf(si)]; string(has.Parameters) != string(si.Spec.Parameters.Raw) {
		return fmt.Errorf("the broker has %s, and not %s", has.Parameters, si.Spec.Parameters.Raw)
	}
	return nil
}

// delivered says what is still to be done for an Alert, or whom it told otherwise.
func (s *soak) delivered(a *pagerv1beta1.Alert) error {
	if !a.DeletionTimestamp.IsZero() {
		return errors.New("it is not gone")
	}
	if a.Status.ObservedGeneration != a.Generation || !isDecided(a) {
		return fmt.Errorf("%+v", a.Status)
	}
	for _, d := range a.Status.Deliveries {
		if !isMeant(a, d) || d.State == pagerv1beta1.DeliveryResolved || d.State == pagerv1beta1.DeliveryFiltered {
			continue
		}
		if d.State != pagerv1beta1.DeliverySent || a.Spec.State != pagerv1beta1.AlertFiring {
			return fmt.Errorf("%s: %s %s", d.Name, d.State, d.Message)
		}
		if last := s.world.lastTold(a, d.Name); last == nil || last.RawContent != a.Spec.Content || last.Severity != string(a.Spec.Severity) {
			return fmt.Errorf("%s was told %+v last, and not %q", d.Name, last, a.Spec.Content)
		}
	}
	return nil
}
