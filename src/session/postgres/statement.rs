//! A statement with its values.

use std::sync::Arc;

use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Text};
use diesel::{QueryResult, RunQueryDsl};

/// What stands for a value in the text of a [`Statement`].
const PLACE: char = '$';

/// Sent with its values in one round trip, and without a name: the server keeps nothing of it, so that
/// it works over a pooler that lends each statement another of the server's connections.
pub(super) struct Statement {
    /// With a `$` for each of `values`.
    pub(super) sql: Arc<str>,
    pub(super) values: Vec<Value>,
}

pub(super) enum Value {
    Bytes([u8; 32]),
    Number(i64),
    Numbers(Vec<i64>),
    Text(String),
    Texts(Vec<String>),
}

/// The key of a record in hexadecimal digits, and its values as JSON.
pub(super) type Row = (String, String);

impl Query for &Statement {
    type SqlType = (Text, Text);
}

impl RunQueryDsl<PgConnection> for &Statement {}

/// Its text is the id.
impl QueryId for Statement {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl QueryFragment<Pg> for Statement {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut values = self.values.iter();
        for (at, text) in self.sql.split(PLACE).enumerate() {
            if at > 0 {
                values.next().map_or(Ok(()), |value| value.push(&mut out))?;
            }
            out.push_sql(text);
        }
        Ok(())
    }
}

impl Value {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Value::Bytes(bytes) => out.push_bind_param::<Binary, _>(bytes),
            Value::Number(number) => out.push_bind_param::<BigInt, _>(number),
            Value::Numbers(all) => out.push_bind_param::<Array<BigInt>, _>(all),
            Value::Text(text) => out.push_bind_param::<Text, _>(text),
            Value::Texts(texts) => out.push_bind_param::<Array<Text>, _>(texts),
        }
    }
}
