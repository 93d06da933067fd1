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

// Command login is an application that needs a database. It logs in with the data of a ServiceBinding's Secret, which it gets as the
// environment variables DB_host, DB_port and so on (see docs/how-to/use-services.md), and prints its user name and its database.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"

	"github.com/go-sql-driver/mysql"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "login: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(os.Getenv("DB_host"), os.Getenv("DB_port"))
	config.User, config.Passwd, config.DBName = os.Getenv("DB_username"), os.Getenv("DB_password"), os.Getenv("DB_database")
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }() // an error has no consequence
	var database string
	if err := db.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&database); err != nil {
		return err
	}
	fmt.Printf("Logged in as %s, to database %s\n", config.User, database)
	return nil
}
