//! From text to trees.

mod lex;
mod names;
mod node;
mod number;

use std::sync::Arc;

use self::lex::{Kind, Lexer, Token};
pub(crate) use self::names::Names;
use self::node::Head;
pub(crate) use self::node::{Branch, Call, Command, Node, Number, Pipe, Source, Term, Tree, Word};
use crate::error::ParseError;
use crate::functions;
use crate::golang::quote::{quote, unquote};
use crate::limits::Stack;
use crate::value::Str;

/// Parentheses and control structures inside each other.
const NESTING: usize = 500;
/// Bytes of an ordinary stack that parsing may take.
const ROOM: usize = 1 << 20;

/// Parses a text into the template of its own name and those that it defines.
pub(crate) fn parse(name: &str, text: &Str, names: &mut Names) -> Result<Vec<Tree>, ParseError> {
    let source = Arc::new(Source {
        name: name.to_owned(),
        text: text.clone(),
    });
    let text = text.as_bytes();
    let mut parser = Parser {
        lexer: Lexer::new(text),
        text,
        names,
        source,
        ahead: Vec::new(),
        last_line: 1,
        variables: vec!["$".into()],
        action_line: 0,
        range_depth: 0,
        nesting: 0,
        stack: Stack::here(ROOM),
        trees: Vec::new(),
    };
    parser.text_template()?;
    Ok(parser.trees)
}

/// How a list of nodes ended.
enum End {
    End,
    /// An `else`; if another keyword follows, it has not been read yet.
    Else,
}

impl End {
    const fn describe(&self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

enum Item {
    Node(Node),
    End(End),
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    text: &'a [u8],
    names: &'a mut Names,
    source: Arc<Source>,
    /// Tokens that were given back, the next one last.
    ahead: Vec<Token>,
    /// Line of the last token that came from the lexer: what errors show.
    last_line: u32,
    variables: Vec<Str>,
    action_line: u32,
    range_depth: usize,
    nesting: usize,
    stack: Stack,
    trees: Vec<Tree>,
}

type Parsed<T> = Result<T, ParseError>;

impl Parser<'_> {
    fn next(&mut self) -> Token {
        self.ahead.pop().unwrap_or_else(|| {
            let token = self.lexer.next_token();
            self.last_line = token.line;
            token
        })
    }

    fn back(&mut self, token: Token) {
        self.ahead.push(token);
    }

    fn peek(&mut self) -> Kind {
        let token = self.next();
        let kind = token.kind;
        self.back(token);
        kind
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.back(token);
        token
    }

    fn error<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        Err(ParseError {
            name: self.source.name.clone(),
            line: self.last_line as usize,
            reason: reason.into(),
        })
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        let shown = token.describe(self.text, &self.lexer.message);
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {shown} in {context}"));
        }
        if self.action_line == 0 || self.action_line == token.line {
            return self.error(shown);
        }
        let started = format!("started at {}:{}", self.source.name, self.action_line);
        if shown.ends_with(" action") {
            return self.error(format!("{shown} {started}"));
        }
        self.error(format!("{shown} in action {started}"))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind {
            return Ok(token);
        }
        self.unexpected(&token, context)
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting >= NESTING || !self.stack.has_room() {
            return self.error("max expression depth exceeded");
        }
        self.nesting += 1;
        let result = parse(self);
        self.nesting -= 1;
        result
    }

    /// The whole text; definitions are allowed at this level only.
    fn text_template(&mut self) -> Parsed<()> {
        let mut root = Vec::new();
        while self.peek() != Kind::Eof {
            if self.peek() == Kind::LeftDelim {
                let delim = self.next();
                let word = self.next_non_space();
                if word.kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.back(word);
                self.back(delim);
            }
            match self.text_or_action()? {
                Item::Node(node) => root.push(node),
                Item::End(end) => return self.error(format!("unexpected {}", end.describe())),
            }
        }
        let name = self.source.name.clone();
        self.add(name, root)
    }

    fn add(&mut self, name: String, root: Vec<Node>) -> Parsed<()> {
        let tree = Tree {
            name,
            source: Arc::clone(&self.source),
            root: root.into(),
        };
        let Some(old) = self.trees.iter_mut().find(|old| old.name == tree.name) else {
            self.trees.push(tree);
            return Ok(());
        };
        if old.is_empty() {
            *old = tree;
        } else if !tree.is_empty() {
            return self.error(format!(
                "template: multiple definition of template {}",
                quote(tree.name.as_bytes())
            ));
        }
        Ok(())
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let root = self.body(CONTEXT)?;
        self.add(name, root)
    }

    /// The body of a template inside the text: variables and loops of the outer one end here.
    fn body(&mut self, context: &str) -> Parsed<Vec<Node>> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".into()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        self.action_line = 0;
        let (root, end) = self.deeper(Self::item_list)?;
        if !matches!(end, End::End) {
            return self.error(format!("unexpected {} in {context}", end.describe()));
        }
        self.variables = variables;
        self.range_depth = range_depth;
        Ok(root)
    }

    fn template_name(&self, token: &Token, context: &str) -> Parsed<String> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(token, context);
        }
        match unquote(token.bytes(self.text)) {
            Some(name) => Ok(String::from_utf8_lossy(&name).into_owned()),
            None => self.error("invalid syntax"),
        }
    }

    fn item_list(&mut self) -> Parsed<(Vec<Node>, End)> {
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::End(end) => return Ok((nodes, end)),
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.span()))),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action()?;
                self.action_line = 0;
                Ok(item)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.leave_loop("{{break}}", Node::Break)?,
            Kind::Continue => self.leave_loop("{{continue}}", Node::Continue)?,
            Kind::Else => return self.else_control(),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::End(End::End));
            }
            Kind::If => Node::If(Box::new(self.control("if")?)),
            Kind::Range => Node::Range(Box::new(self.control("range")?)),
            Kind::Template => self.template()?,
            Kind::With => Node::With(Box::new(self.control("with")?)),
            _ => {
                self.back(token);
                Node::Action(Box::new(self.pipeline("command", Kind::RightDelim)?))
            }
        };
        Ok(Item::Node(node))
    }

    fn leave_loop(&mut self, shown: &str, node: Node) -> Parsed<Node> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return self.unexpected(&token, shown);
        }
        if self.range_depth == 0 {
            return self.error(format!("{shown} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn else_control(&mut self) -> Parsed<Item> {
        if !matches!(self.peek_non_space().kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Item::End(End::Else))
    }

    fn control(&mut self, context: &'static str) -> Parsed<Branch> {
        self.deeper(|parser| parser.control_inside(context))
    }

    fn control_inside(&mut self, context: &'static str) -> Parsed<Branch> {
        let variables = self.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        self.range_depth += usize::from(context == "range");
        let (list, end) = self.item_list()?;
        self.range_depth -= usize::from(context == "range");
        let otherwise = match end {
            End::End => None,
            End::Else => Some(self.otherwise(context)?.into()),
        };
        self.variables.truncate(variables);
        Ok(Branch {
            pipe,
            list: list.into(),
            otherwise,
        })
    }

    /// What follows `else`: a list, or one more `if` that shares its `end` with this one.
    fn otherwise(&mut self, context: &'static str) -> Parsed<Vec<Node>> {
        match (context, self.peek()) {
            ("if", Kind::If) => {
                self.next();
                Ok(vec![Node::If(Box::new(self.control("if")?))])
            }
            ("with", Kind::With) => {
                self.next();
                Ok(vec![Node::With(Box::new(self.control("with")?))])
            }
            _ => match self.item_list()? {
                (list, End::End) => Ok(list),
                (_, end) => self.error(format!("expected end; found {}", end.describe())),
            },
        }
    }

    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        let root = self.body(CONTEXT)?;
        let call = Call {
            position: token.position(),
            name: self.names.get(name.as_bytes()),
            pipe: Some(pipe),
        };
        self.add(name, root)?;
        Ok(Node::Template(Box::new(call)))
    }

    fn template(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let next = self.next_non_space();
        let pipe = if next.kind == Kind::RightDelim {
            None
        } else {
            self.back(next);
            Some(self.pipeline(CONTEXT, Kind::RightDelim)?)
        };
        Ok(Node::Template(Box::new(Call {
            position: token.position(),
            name: self.names.get(name.as_bytes()),
            pipe,
        })))
    }

    fn pipeline(&mut self, context: &'static str, end: Kind) -> Parsed<Pipe> {
        let position = self.peek_non_space().position();
        let mut head = Head::default();
        while self.declaration(&mut head, context)? {}
        let mut commands = Vec::new();
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check(&commands, context)?;
                    return Ok(Pipe {
                        position,
                        assign: head.assign,
                        variables: head.variables.into(),
                        commands: commands.into(),
                    });
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back(token);
                    commands.push(self.command()?);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// A variable that is declared or assigned to; says whether another one may follow.
    fn declaration(&mut self, head: &mut Head, context: &'static str) -> Parsed<bool> {
        let variable = self.peek_non_space();
        if variable.kind != Kind::Variable {
            return Ok(false);
        }
        self.next_non_space();
        let after = self.next();
        let space = after.kind == Kind::Space;
        let next = if space { self.next_non_space() } else { after };
        let name = self.names.get(variable.bytes(self.text));
        match next.kind {
            Kind::Assign | Kind::Declare => {
                head.assign = next.kind == Kind::Assign;
                head.variables.push(name.clone());
                self.variables.push(name);
                Ok(false)
            }
            Kind::Char if next.bytes(self.text) == b"," => {
                head.variables.push(name.clone());
                self.variables.push(name);
                if context == "range" && head.variables.len() < 2 {
                    return match self.peek_non_space().kind {
                        Kind::Variable | Kind::RightDelim | Kind::RightParen => Ok(true),
                        _ => self.error("range can only initialize variables"),
                    };
                }
                self.error(format!("too many declarations in {context}"))
            }
            _ => {
                self.back(next);
                if space {
                    self.back(after);
                }
                self.back(variable);
                Ok(false)
            }
        }
    }

    fn check(&self, commands: &[Command], context: &str) -> Parsed<()> {
        if commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (i, command) in commands.iter().enumerate().skip(1) {
            if matches!(
                command.words.first().map(|word| &word.term),
                Some(Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::String(..))
            ) {
                return self.error(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Command> {
        let position = self.peek_non_space().position();
        let mut words = Vec::new();
        loop {
            self.peek_non_space();
            if let Some(word) = self.operand()? {
                words.push(word);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back(token),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if words.is_empty() {
            return self.error("empty command");
        }
        Ok(Command {
            position,
            words: words.into(),
        })
    }

    fn operand(&mut self) -> Parsed<Option<Word>> {
        let Some(mut word) = self.term()? else {
            return Ok(None);
        };
        if self.peek() != Kind::Field {
            return Ok(Some(word));
        }
        let mut position = None;
        let mut fields = Vec::new();
        while self.peek() == Kind::Field {
            let token = self.next();
            position.get_or_insert(token.position());
            let name = token.bytes(self.text).get(1..).unwrap_or_default();
            fields.push(self.names.get(name));
        }
        let position = position.unwrap_or(word.position);
        word = match word.term {
            Term::Field(chain) => Word {
                position,
                term: Term::Field(self.names.chain(&[&chain, &*fields].concat())),
            },
            Term::Variable(chain) => Word {
                position,
                term: Term::Variable(self.names.chain(&[&chain, &*fields].concat())),
            },
            Term::Bool(_) | Term::String(..) | Term::Number(_) | Term::Nil | Term::Dot => {
                let shown = quote(word.to_string().as_bytes());
                return self.error(format!("unexpected . after term {shown}"));
            }
            term => Word {
                position,
                term: Term::Chain(Box::new((
                    Word {
                        position: word.position,
                        term,
                    },
                    self.names.chain(&fields),
                ))),
            },
        };
        Ok(Some(word))
    }

    fn term(&mut self) -> Parsed<Option<Word>> {
        let token = self.next_non_space();
        let bytes = token.bytes(self.text);
        let shown = || String::from_utf8_lossy(bytes).into_owned();
        let term = match token.kind {
            Kind::Identifier => match functions::find(bytes) {
                Some(function) => Term::Function(function),
                None => return self.error(format!("function {} not defined", quote(bytes))),
            },
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Variable => {
                let name = self.names.get(bytes);
                if !self.variables.contains(&name) {
                    return self.error(format!("undefined variable {}", quote(bytes)));
                }
                Term::Variable(self.names.chain(&[name]))
            }
            Kind::Field => {
                let name = self.names.get(bytes.get(1..).unwrap_or_default());
                Term::Field(self.names.chain(&[name]))
            }
            Kind::Bool => Term::Bool(bytes == b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let number = match token.kind {
                    Kind::CharConstant => number::character(bytes),
                    Kind::Complex => number::complex(&shown()),
                    _ => number::number(&shown()),
                };
                match number {
                    Ok(number) => Term::Number(Box::new(number)),
                    Err(reason) => return self.error(reason),
                }
            }
            Kind::LeftParen => {
                let pipe =
                    self.deeper(|parser| parser.pipeline("parenthesized pipeline", Kind::RightParen))?;
                return Ok(Some(Word {
                    position: pipe.position,
                    term: Term::Pipe(Box::new(pipe)),
                }));
            }
            Kind::String | Kind::RawString => match unquote(bytes) {
                Some(text) => Term::String(Box::new((self.names.get(bytes), self.names.get(&text)))),
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.back(token);
                return Ok(None);
            }
        };
        Ok(Some(Word {
            position: token.position(),
            term,
        }))
    }
}
