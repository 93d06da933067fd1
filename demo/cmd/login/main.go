// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command login is an application that needs a database. It logs in with the data of a ServiceBinding's Secret, which it gets as the
// environment variables DB_host, DB_port and so on (see docs/how-to/services/bind-to-an-instance.md), and prints its user name and its database.
//
// With -secrets=DIRECTORY it logs in each second, until it is terminated, with each Secret that is mounted as a directory below that one,
// and prints each failure, and each user name that a Secret has not had before.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

func main() {
	secrets := flag.String("secrets", "", "the directory of mounted Secrets, to log in with each second")
	exitCode := flag.Int("exit-code", 1, "the exit code after a failed login")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *secrets); err != nil {
		fmt.Fprintf(os.Stderr, "login: %v\n", err)
		os.Exit(*exitCode)
	}
}

func run(ctx context.Context, secrets string) error {
	if secrets != "" {
		return logInEachSecond(ctx, secrets)
	}
	user, database, err := logIn(ctx, func(key string) string { return os.Getenv("DB_" + key) })
	if err != nil {
		return err
	}
	fmt.Printf("Logged in as %s, to database %s\n", user, database)
	return nil
}

// logInEachSecond logs in with all Secrets each second, until the context is cancelled.
func logInEachSecond(ctx context.Context, secrets string) error {
	users := map[string]string{}
	for tick := time.NewTicker(time.Second); ctx.Err() == nil; {
		mounts, err := filepath.Glob(filepath.Join(secrets, "*"))
		if err != nil {
			return err
		}
		for _, mount := range mounts {
			name := filepath.Base(mount)
			switch user, _, err := logIn(ctx, contentIn(mount)); {
			case ctx.Err() != nil: // it says nothing about the Secret
			case err != nil:
				fmt.Printf("%s: failed as %s: %v\n", name, user, err)
			case users[name] != user:
				fmt.Printf("%s: logged in as %s\n", name, user)
				users[name] = user
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// contentIn reads the values of a Secret that is mounted as a directory. A key that is missing has an empty value.
func contentIn(mount string) func(key string) string {
	return func(key string) string {
		value, _ := os.ReadFile(filepath.Join(mount, key)) // the login fails without it
		return string(value)
	}
}

// logIn logs in with the values of a Secret, and returns its user name and its database.
func logIn(ctx context.Context, value func(key string) string) (user, database string, err error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(value("host"), value("port"))
	config.User, config.Passwd, config.DBName = value("username"), value("password"), value("database")
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return config.User, "", err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }() // an error has no consequence
	err = db.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&database)
	return config.User, database, err
}
