// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// interrupted is a client whose command is interrupted while the API server creates an Alert.
type interrupted struct {
	alertClient
	interrupt func()
}

func (c interrupted) Create(ctx context.Context, alert *v1beta1.Alert, _ metav1.CreateOptions) (*v1beta1.Alert, error) {
	c.interrupt()
	created := alert.DeepCopy()
	created.UID = "uid"
	return created, ctx.Err()
}

// An Alert whose creation is not known to have succeeded would not be deleted.
func TestAnInterruptDoesNotCancelTheCreation(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	command := &test{e: cli.New(genericiooptions.NewTestIOStreamsDiscard())}
	if _, err := command.create(ctx, interrupted{interrupt: interrupt}, &v1beta1.Alert{}); err != nil {
		t.Error(err)
	}
	if ctx.Err() == nil {
		t.Error("the command was not interrupted")
	}
}

// The fields of an Alert have 32 bits.
func TestKeepForIsBounded(t *testing.T) {
	for line, isValid := range map[string]bool{
		"team --keep-for=1m": true, "team --keep-for=0s --timeout=0": true, "team --keep-for=596000h": true,
		"team --keep-for=597000h": false, "team --keep-for=300000h --timeout=300000h": false, "team --timeout=2562047h": false,
	} {
		cmd := newTest(cli.New(genericiooptions.NewTestIOStreamsDiscard()))
		err := cmd.ParseFlags(strings.Fields(line))
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if (err == nil) != isValid {
			t.Errorf("%s: %v", line, err)
		}
	}
}
