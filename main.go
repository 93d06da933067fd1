// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// The operator of Bellhop: it delivers alerts to on-call and chat tools (Alert), and provisions services from Open Service Brokers
// (ServiceInstance, ServiceBinding).
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	pagercontrollers "github.com/gophernetes/bellhop/controllers/pager"
	servicecatalogcontrollers "github.com/gophernetes/bellhop/controllers/servicecatalog"
	"github.com/gophernetes/bellhop/internal/httpserver"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/operator"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/panics"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/version"
	pagerwebhooks "github.com/gophernetes/bellhop/webhooks/pager"
	servicecatalogwebhooks "github.com/gophernetes/bellhop/webhooks/servicecatalog"
)

// mutexSampling is the fraction of mutex contention events in profiles: one in so many.
const mutexSampling = 100

func main() {
	var o operator.Options
	o.Bind(flag.CommandLine)
	flag.Parse()
	if o.PrintHelp {
		operator.WriteHelp(os.Stdout, flag.CommandLine)
		return
	}
	if o.PrintVersion {
		fmt.Fprintln(os.Stdout, version.Get())
		return
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.Log), operator.QuietStart()))
	info := version.Get()
	ctrl.Log.Info("Starting", "version", info.Version, "commit", info.Commit, "goVersion", info.Go)
	if o.PprofAddress != "0" {
		runtime.SetMutexProfileFraction(mutexSampling)
	}
	if err := operator.LimitMemory(); err != nil {
		ctrl.Log.Error(err, "The memory limit is not used")
	}
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "Bellhop ended")
		os.Exit(1)
	}
}

// run runs the operator until stopping ends, and for the shutdown delay after that.
func run(stopping context.Context, o operator.Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	cfg.UserAgent = version.UserAgent()
	serverClock := &apiserver.Clock{}
	cfg.Wrap(serverClock.Observe)
	ctx := operator.Drain(stopping, o.ShutdownDelay)
	cfg.QPS, cfg.Burst = float32(o.APIQPS), max(int(2*o.APIQPS), 1)
	servers, err := operator.NewServers(o)
	if err != nil {
		return err
	}
	guard, err := operator.NewGuard(ctx, cfg, o, servers)
	if err != nil {
		return err
	}
	lease := leadership.NewLease()
	guard.WriteWhile(lease.Err)
	// Webhooks are served, and so certificates maintained, also while another replica leads.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	serving, err := operator.KeepCertificates(ctx, stop, cfg, servers, o)
	if err != nil {
		return err
	}
	mgr, err := operator.NewManager(stopping, stop, cfg, o, lease, servers, serving)
	if err != nil {
		return fmt.Errorf("setting up the manager: %w", err)
	}
	p := process{Options: o, mgr: mgr, recorder: mgr.GetEventRecorder("bellhop"), guard: guard, serverClock: serverClock, lease: lease, servers: servers, serving: serving}
	if err := p.setup(ctx, stopping); err != nil {
		return err
	}
	go operator.ReturnMemory(ctx)
	if err := mgr.Start(ctx); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// A process has the manager, and the parts of which its controllers and servers are made.
type process struct {
	operator.Options

	mgr         ctrl.Manager
	recorder    events.EventRecorder
	guard       *outbound.Guard
	serverClock *apiserver.Clock
	lease       *leadership.Lease
	servers     *httpserver.Servers
	serving     []func(*tls.Config)
}

// setup registers everything that the manager runs.
func (p process) setup(ctx, stopping context.Context) error {
	for _, s := range []struct {
		name   string
		isUsed bool
		setup  func() error
	}{
		{"pager", p.APIs.Pager, func() error { return p.setupPager(ctx) }},
		{"servicecatalog", p.APIs.ServiceCatalog, func() error { return p.setupServiceCatalog(ctx) }},
		{"build information", true, func() error { return operator.RegisterBuildInfo(metrics.Registry) }},
		{"panics", true, func() error { return panics.Register(metrics.Registry) }},
		{"probes", true, func() error { return operator.AddProbes(ctx, stopping, p.mgr, p.servers, p.Options) }},
		{"metrics", true, func() error { return operator.AddMetrics(ctx, p.mgr, p.servers, p.Options, p.serving) }},
	} {
		if !s.isUsed {
			continue
		}
		if err := s.setup(); err != nil {
			return fmt.Errorf("setting up %s: %w", s.name, err)
		}
	}
	return nil
}

// setupPager registers the controllers and webhooks of the group pager.k8s.co.
func (p process) setupPager(ctx context.Context) error {
	paged, err := p.PagedResources()
	if err != nil {
		return err
	}
	posts, err := p.Ingest(p.mgr, p.servers, p.serving)
	if err != nil {
		return err
	}
	instance, err := os.Hostname() // in a Pod, its name
	if err != nil {
		return fmt.Errorf("finding the name of this machine: %w", err)
	}
	if err := receivers.AddIndexes(ctx, p.mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("indexes: %w", err)
	}
	policy := receivers.Policy(p.ReceiverPolicy)
	err = pagercontrollers.Setup(ctx, p.mgr, pagercontrollers.Options{
		Workers: p.AlertWorkers, OperatorNamespace: p.Namespace, Instance: instance, Policy: policy, Guard: p.guard, Recorder: p.recorder, Metrics: metrics.Registry,
		PagedResources: paged, PageResolveAfter: p.PageResolveAfter, Namespaces: p.Namespaces, Ingest: posts, Lease: p.APIs.LeaseName(), ServerClock: p.serverClock,
		Leadership: p.lease, UnwatchedSecrets: !p.WatchSecrets,
	})
	if err != nil {
		return fmt.Errorf("controllers: %w", err)
	}
	err = pagerwebhooks.Setup(p.mgr, pagerwebhooks.Options{OperatorNamespace: p.Namespace, Policy: policy, Guard: p.guard, UnwatchedSecrets: !p.WatchSecrets})
	if err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	return nil
}

// setupServiceCatalog registers the controllers and webhooks of the group servicecatalog.k8s.io.
func (p process) setupServiceCatalog(ctx context.Context) error {
	if err := index.AddIndexes(ctx, p.mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("indexes: %w", err)
	}
	policy := servicecatalogwebhooks.BrokerPolicy(p.BrokerPolicy)
	err := servicecatalogcontrollers.Setup(ctx, p.mgr, servicecatalogcontrollers.Options{
		Workers: p.InstanceWorkers, BrokerWorkers: p.BrokerWorkers,
		ClusterID: types.NamespacedName{Namespace: p.Namespace, Name: p.ClusterIDConfigMap},
		Timeout:   p.OSBTimeout, RelistInterval: p.RelistInterval, Guard: p.guard, Strict: policy == servicecatalogwebhooks.BrokerPolicyStrict, Recorder: p.recorder, Metrics: metrics.Registry, ServerTime: p.serverClock.Reading, Leadership: p.lease,
	})
	if err != nil {
		return fmt.Errorf("controllers: %w", err)
	}
	if err := servicecatalogwebhooks.Setup(p.mgr, servicecatalogwebhooks.Options{BrokerPolicy: policy, Guard: p.guard}); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	return nil
}
