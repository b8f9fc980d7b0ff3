//! The languages whose code is coloured, as a table: names, words, comments, strings.
//!
//! The alternative was measured in a release build, in 2026-11: `syntect` 5.3 (`default-fancy`)
//! adds 2.2 MB to the binary and 98 seconds of one core to a build; its first line of Rust is there
//! after 75 ms, and 10,000 lines of 50 bytes take 6.5 s, because its regular expressions backtrack.
//! This table and its lexer cost about 30 kB and no start-up. To add a language is to add a row.

/// What kind of language it is, as far as lines are read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LanguageFamily {
    /// Capitalized words are types.
    Code,
    Shell,
    /// HTML and XML.
    Markup,
    /// CSS, whose names have dashes.
    Style,
    /// JSON, YAML, TOML.
    Data,
    Diff,
}

/// How the keys of a map are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyStyle {
    None,
    /// A string before a colon.
    Quoted,
    /// The first word of a line, before a colon.
    Colon,
    /// The first word of a line, before an equals sign.
    Equals,
}

#[derive(Debug)]
pub(super) struct StringRule {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    /// A backslash escapes the next character.
    pub(super) escapes: bool,
    /// The string may continue on the next line.
    pub(super) multiline: bool,
    /// One character, as opposed to a lifetime in Rust.
    pub(super) character: bool,
}

#[derive(Debug)]
pub(super) struct CodeLanguage {
    names: &'static str,
    pub(super) family: LanguageFamily,
    pub(super) keywords: &'static str,
    /// Types of the language itself.
    pub(super) types: &'static str,
    pub(super) ignores_case: bool,
    pub(super) line_comments: &'static [&'static str],
    pub(super) block_comment: Option<(&'static str, &'static str)>,
    pub(super) nested_comments: bool,
    /// The longest opening first.
    pub(super) strings: &'static [StringRule],
    pub(super) keys: KeyStyle,
}

pub(super) fn find_language(name: &str) -> Option<&'static CodeLanguage> {
    if name.is_empty() {
        return None;
    }
    let is_named = |language: &&CodeLanguage| {
        let mut names = language.names.split(' ');
        names.any(|known| known.eq_ignore_ascii_case(name))
    };
    LANGUAGES.iter().find(is_named)
}

const fn quoted(
    open: &'static str,
    close: &'static str,
    escapes: bool,
    multiline: bool,
) -> StringRule {
    StringRule {
        open,
        close,
        escapes,
        multiline,
        character: false,
    }
}

const DOUBLE: StringRule = quoted("\"", "\"", true, false);
const SINGLE: StringRule = quoted("'", "'", true, false);
const DOUBLE_LINES: StringRule = quoted("\"", "\"", true, true);
const TEMPLATE: StringRule = quoted("`", "`", true, true);
const TRIPLE_DOUBLE: StringRule = quoted("\"\"\"", "\"\"\"", true, true);
const TRIPLE_SINGLE: StringRule = quoted("'''", "'''", true, true);
const RAW_BACKTICK: StringRule = quoted("`", "`", false, true);
const RAW_SINGLE: StringRule = quoted("'", "'", false, false);
const RAW_SINGLE_LINES: StringRule = quoted("'", "'", false, true);
const RAW_DOUBLE_LINES: StringRule = quoted("\"", "\"", false, true);
const RAW_HASH: StringRule = quoted("r#\"", "\"#", false, true);
const LONG_BRACKET: StringRule = quoted("[[", "]]", false, true);
const CHARACTER: StringRule = StringRule {
    open: "'",
    close: "'",
    escapes: true,
    multiline: false,
    character: true,
};

const PLAIN: CodeLanguage = CodeLanguage {
    names: "",
    family: LanguageFamily::Code,
    keywords: "",
    types: "",
    ignores_case: false,
    line_comments: &[],
    block_comment: None,
    nested_comments: false,
    strings: &[],
    keys: KeyStyle::None,
};

pub(super) const LANGUAGES: &[CodeLanguage] = &[
    CodeLanguage {
        names: "rust rs",
        keywords: "Self as async await break const continue crate dyn else enum extern false fn \
            for if impl in let loop macro_rules match mod move mut pub ref return self static \
            struct super trait true type union unsafe use where while yield",
        types: "bool char f32 f64 i128 i16 i32 i64 i8 isize str u128 u16 u32 u64 u8 usize",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        nested_comments: true,
        strings: &[RAW_HASH, DOUBLE_LINES, CHARACTER],
        ..PLAIN
    },
    CodeLanguage {
        names: "python py python3 py3 gyp",
        keywords: "False None True and as assert async await break case class continue def del \
            elif else except finally for from global if import in is lambda match nonlocal not \
            or pass raise return try while with yield",
        types: "bool bytes cls dict float int list object self set str tuple",
        line_comments: &["#"],
        strings: &[TRIPLE_DOUBLE, TRIPLE_SINGLE, DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "javascript js jsx mjs cjs node typescript ts tsx mts",
        keywords: "abstract as async await break case catch class const continue debugger \
            declare default delete do else enum export extends false finally for from function \
            get if implements import in instanceof interface is keyof let namespace new null of \
            private protected public readonly return satisfies set static super switch this \
            throw true try type typeof undefined var void while with yield",
        types: "any bigint boolean never number object string symbol unknown",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        strings: &[DOUBLE, SINGLE, TEMPLATE],
        ..PLAIN
    },
    CodeLanguage {
        names: "go golang",
        keywords: "break case chan const continue default defer else fallthrough false for func \
            go goto if import interface iota map nil package range return select struct switch \
            true type var",
        types: "any bool byte comparable complex128 complex64 error float32 float64 int int16 \
            int32 int64 int8 rune string uint uint16 uint32 uint64 uint8 uintptr",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        strings: &[DOUBLE, SINGLE, RAW_BACKTICK],
        ..PLAIN
    },
    CodeLanguage {
        names: "c h cpp c++ cc hpp cxx hxx objc cuda arduino",
        keywords: "NULL alignas alignof auto break case catch class co_await co_return co_yield \
            concept const consteval constexpr continue default define delete do else endif enum \
            explicit export extern false final for friend goto if ifdef ifndef include inline \
            namespace new noexcept nullptr operator override pragma private protected public \
            register requires restrict return sizeof static static_assert static_cast struct \
            switch template this throw true try typedef typename union using virtual volatile \
            while",
        types: "bool char double float int int16_t int32_t int64_t int8_t long short signed \
            size_t ssize_t uint16_t uint32_t uint64_t uint8_t unsigned void wchar_t",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        strings: &[DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "java",
        keywords: "abstract assert break case catch class const continue default do else enum \
            extends false final finally for goto if implements import instanceof interface \
            native new null package permits private protected public record return sealed static \
            strictfp super switch synchronized this throw throws transient true try var volatile \
            while yield",
        types: "boolean byte char double float int long short void",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        strings: &[TRIPLE_DOUBLE, DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "kotlin kt kts",
        keywords: "abstract as break by catch class companion const constructor continue \
            crossinline data do else enum external false final finally for fun get if import in \
            infix init inline inner interface internal is lateinit null object open operator out \
            override package private protected public reified return sealed set super suspend \
            tailrec this throw true try typealias val var vararg when where while",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        nested_comments: true,
        strings: &[TRIPLE_DOUBLE, DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "scala sbt",
        keywords: "abstract case catch class def do else enum extends extension false final \
            finally for given if implicit import lazy match new null object override package \
            private protected return sealed super then this throw trait true try type using val \
            var while with yield",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        nested_comments: true,
        strings: &[TRIPLE_DOUBLE, DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "swift",
        keywords: "Self actor any as associatedtype async await break case catch class continue \
            default defer deinit do else enum extension fallthrough false fileprivate final for \
            func get guard if import in indirect init inout internal is lazy let mutating nil \
            open operator override private protocol public repeat required rethrows return self \
            set some static struct subscript super switch throw throws true try typealias \
            unowned var weak where while",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        nested_comments: true,
        strings: &[TRIPLE_DOUBLE, DOUBLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "csharp cs c# dotnet",
        keywords: "abstract as async await base break case catch checked class const continue \
            default delegate do else enum event explicit extern false finally fixed for foreach \
            from get global goto if implicit in init interface internal is lock namespace new \
            null operator out override params partial private protected public readonly record \
            ref required return sealed select set sizeof stackalloc static struct switch this \
            throw true try typeof unchecked unsafe using var virtual void volatile when where \
            while with yield",
        types: "bool byte char decimal double dynamic float int long nint object sbyte short \
            string uint ulong ushort",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        strings: &[TRIPLE_DOUBLE, DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "ruby rb gemfile rake",
        keywords: "BEGIN END alias and attr_accessor attr_reader attr_writer begin break case \
            class def defined do else elsif end ensure extend false for if in include module \
            next nil not or private protected public raise redo require require_relative rescue \
            retry return self super then true undef unless until when while yield",
        line_comments: &["#"],
        strings: &[DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "php",
        keywords: "abstract and array as break callable case catch class clone const continue \
            declare default do echo else elseif empty enum extends false final finally fn for \
            foreach function global goto if implements include include_once instanceof interface \
            isset list match namespace new null or print private protected public readonly \
            require require_once return static switch throw trait true try unset use var while \
            xor yield",
        types: "bool float int iterable mixed never object string void",
        line_comments: &["//", "#"],
        block_comment: Some(("/*", "*/")),
        strings: &[DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "shell sh bash zsh console shellscript shell-session",
        family: LanguageFamily::Shell,
        keywords: "alias break case cd continue declare do done echo elif else esac eval exec \
            exit export fi for function if in local printf read readonly return select set shift \
            source sudo then trap unset until while",
        line_comments: &["#"],
        strings: &[DOUBLE_LINES, RAW_SINGLE_LINES],
        ..PLAIN
    },
    CodeLanguage {
        names: "powershell ps1 pwsh",
        family: LanguageFamily::Shell,
        keywords: "begin break catch class continue do else elseif end exit filter finally for \
            foreach function if in param process return switch throw trap try until while",
        ignores_case: true,
        line_comments: &["#"],
        block_comment: Some(("<#", "#>")),
        strings: &[DOUBLE_LINES, RAW_SINGLE_LINES],
        ..PLAIN
    },
    CodeLanguage {
        names: "sql postgresql postgres mysql sqlite plsql tsql",
        keywords: "add all alter analyze and any as asc begin between by case cast check column \
            commit constraint create cross database default delete desc distinct drop else end \
            except exists explain false fetch first for foreign from full function grant group \
            having if in index inner insert intersect into is join key left like limit \
            materialized natural not null offset on or order outer over partition primary \
            procedure references returning returns revoke right rollback row rows select set \
            table then trigger true truncate union unique update using values view when where \
            window with",
        types: "bigint bigserial blob boolean bytea char date datetime decimal double float int \
            integer interval json jsonb numeric real serial smallint text time timestamp \
            timestamptz uuid varchar",
        ignores_case: true,
        line_comments: &["--"],
        block_comment: Some(("/*", "*/")),
        strings: &[RAW_SINGLE_LINES, DOUBLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "html xml svg xhtml vue svelte htm plist xaml",
        family: LanguageFamily::Markup,
        block_comment: Some(("<!--", "-->")),
        strings: &[RAW_DOUBLE_LINES, RAW_SINGLE_LINES],
        ..PLAIN
    },
    CodeLanguage {
        names: "css scss sass less",
        family: LanguageFamily::Style,
        keywords: "each else extend font-face for function if import important include keyframes \
            media mixin return supports use while",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        strings: &[DOUBLE, SINGLE],
        keys: KeyStyle::Colon,
        ..PLAIN
    },
    CodeLanguage {
        names: "json jsonc json5 jsonl ndjson",
        family: LanguageFamily::Data,
        keywords: "false null true",
        line_comments: &["//"],
        block_comment: Some(("/*", "*/")),
        strings: &[DOUBLE],
        keys: KeyStyle::Quoted,
        ..PLAIN
    },
    CodeLanguage {
        names: "yaml yml",
        family: LanguageFamily::Data,
        keywords: "false no null off on true yes",
        line_comments: &["#"],
        strings: &[DOUBLE_LINES, RAW_SINGLE_LINES],
        keys: KeyStyle::Colon,
        ..PLAIN
    },
    CodeLanguage {
        names: "toml ini conf cfg properties editorconfig",
        family: LanguageFamily::Data,
        keywords: "false true",
        line_comments: &["#", ";"],
        strings: &[TRIPLE_DOUBLE, TRIPLE_SINGLE, DOUBLE, RAW_SINGLE],
        keys: KeyStyle::Equals,
        ..PLAIN
    },
    CodeLanguage {
        names: "dockerfile docker containerfile",
        family: LanguageFamily::Shell,
        keywords: "add arg as cmd copy entrypoint env expose from healthcheck label maintainer \
            onbuild run shell stopsignal user volume workdir",
        ignores_case: true,
        line_comments: &["#"],
        strings: &[DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "diff patch",
        family: LanguageFamily::Diff,
        ..PLAIN
    },
    CodeLanguage {
        names: "lua luau",
        keywords: "and break do else elseif end false for function goto if in local nil not or \
            repeat return then true until while",
        line_comments: &["--"],
        block_comment: Some(("--[[", "]]")),
        strings: &[LONG_BRACKET, DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "haskell hs elm purescript",
        keywords: "case class data default deriving do else family forall foreign if import in \
            infix infixl infixr instance let module newtype of qualified then type where",
        line_comments: &["--"],
        block_comment: Some(("{-", "-}")),
        nested_comments: true,
        strings: &[DOUBLE, CHARACTER],
        ..PLAIN
    },
    CodeLanguage {
        names: "elixir ex exs",
        keywords: "after alias and case catch cond def defmacro defmodule defp defstruct do else \
            end false fn for if import in nil not or quote raise receive require rescue true try \
            unless unquote use when with",
        line_comments: &["#"],
        strings: &[TRIPLE_DOUBLE, DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "r",
        keywords: "FALSE Inf NA NULL NaN TRUE break else for function if in library next repeat \
            require return while",
        line_comments: &["#"],
        strings: &[DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "perl pl",
        keywords: "and cmp continue die do else elsif eq for foreach ge goto gt if last le local \
            lt my ne next no not or our package print redo require return sub undef unless until \
            use while",
        line_comments: &["#"],
        strings: &[DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "zig",
        keywords: "align and anytype break catch comptime const continue defer else enum \
            errdefer error export extern false fn for if inline null opaque or orelse packed pub \
            return struct switch test true try undefined union unreachable usingnamespace var \
            volatile while",
        types: "anyerror bool f32 f64 i16 i32 i64 i8 isize type u16 u32 u64 u8 usize void",
        line_comments: &["//"],
        strings: &[DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "makefile make mk cmake",
        family: LanguageFamily::Shell,
        keywords: "define else endef endif export ifdef ifeq ifndef ifneq include override \
            unexport vpath",
        line_comments: &["#"],
        strings: &[DOUBLE, SINGLE],
        ..PLAIN
    },
    CodeLanguage {
        names: "terraform tf hcl",
        keywords: "data false for if in locals module null output provider resource terraform \
            true variable",
        types: "bool list map number object set string",
        line_comments: &["#", "//"],
        block_comment: Some(("/*", "*/")),
        strings: &[DOUBLE],
        keys: KeyStyle::Equals,
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::{LANGUAGES, find_language};

    #[test]
    fn names_of_languages_are_found_and_unique() {
        let mut names: Vec<&str> = LANGUAGES.iter().flat_map(|l| l.names.split(' ')).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert!(
            names
                .iter()
                .all(|name| find_language(&name.to_uppercase()).is_some())
        );
        assert!(find_language("").is_none());
    }
}
