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

package operator

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gophernetes/bellhop/internal/version"
)

// RegisterBuildInfo registers the metric bellhop_build_info, which is always 1.
func RegisterBuildInfo(registry prometheus.Registerer) error {
	info := version.Get()
	return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "bellhop_build_info",
		Help:        "Version, commit and version of Go of the running operator. Always 1.",
		ConstLabels: prometheus.Labels{"version": info.Version, "commit": info.Commit, "goversion": info.Go},
	}, func() float64 { return 1 }))
}
