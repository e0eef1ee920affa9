// Package lint holds the rules of the house as data and checks them.
//
// It parses every Go file of the module without type information, so that it takes a second. The
// rules, each with the name that a finding carries:
//
//	imports     a package imports only what the table in imports.go allows it
//	modules     a third-party module is imported only where the table in imports.go allows it
//	packagedoc  every package has a package comment
//	exported    every exported name has a comment, what protoc makes excepted
//	clock       no time.Now, Since, Until, Sleep or timers below cmd: the clock comes in by options;
//	            engine/lsm may have NewTimer and NewTicker, to pace its background work
//	rand        no global random source below cmd
//	exit        no os.Exit or log.Fatal outside a main package
//	print       no fmt.Print outside a main package
//	sleep       no time.Sleep in tests
//	init        no init functions, those that protoc makes excepted
//	filelen     files of at most 1,000 lines, generated ones excepted
//	funlen      functions of at most 100 lines
//	pkgname     no package named util, common or helpers
//	nolint      an exemption names its rule and its reason
//	leftover    no notes to self in the code
//
// A line is exempted by a comment at its end or on the line above, `//nolint:RULE // reason`. A
// function is exempted from funlen by the same on its first line or in its doc comment.
package lint
