// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command broker runs the demo's broker alone, for a trial of Bellhop in any cluster that reaches this machine: an Open Service
// Broker whose instances are MySQL databases.
//
//	BROKER_PASSWORD=… broker -listen :8080 -mysql :3306 -host 192.0.2.7
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gophernetes/bellhop/demo/broker"
)

// passwordVariable is the environment variable with the password. A flag would show it in the list of processes.
const passwordVariable = "BROKER_PASSWORD"

type options struct {
	listen, mysql, host, username string
	delay                         time.Duration
	verbose                       bool
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address on which the broker listens")
	flag.StringVar(&o.mysql, "mysql", "127.0.0.1:3306", "address on which the MySQL server listens")
	flag.StringVar(&o.host, "host", "", "name or address by which applications reach the MySQL server; default: that of -mysql")
	flag.StringVar(&o.username, "username", "bellhop", "user name of the platform; the password is "+passwordVariable)
	flag.DurationVar(&o.delay, "delay", 1500*time.Millisecond, "how long an asynchronous operation takes")
	flag.BoolVar(&o.verbose, "verbose", false, "also print each request")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "broker: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	password := os.Getenv(passwordVariable)
	if password == "" {
		return errors.New("set " + passwordVariable + " to the password of the broker's Secret")
	}
	config := new(net.ListenConfig)
	mysql, err := config.Listen(ctx, "tcp", o.mysql)
	if err != nil {
		return fmt.Errorf("choose another address with -mysql: %w", err)
	}
	if mysql.Addr().(*net.TCPAddr).IP.IsUnspecified() && o.host == "" {
		mysql.Close()
		return fmt.Errorf("-mysql is %s, which is every address of this machine: set with -host the one that applications use", o.mysql)
	}
	listener, err := config.Listen(ctx, "tcp", o.listen)
	if err != nil {
		mysql.Close()
		return fmt.Errorf("choose another address with -listen: %w", err)
	}
	b, err := broker.New(broker.Options{
		Username: o.username, Password: password, MySQL: mysql, Host: o.host, Delay: o.delay, Out: os.Stdout, Verbose: o.verbose,
	})
	if err != nil {
		return err
	}
	fmt.Printf("Broker: listens on %s\nMySQL:  listens on %s\n", listener.Addr(), mysql.Addr())
	return b.Serve(ctx, listener)
}
