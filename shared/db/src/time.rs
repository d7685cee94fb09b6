//! A point in time as each database keeps it: `timestamptz` in PostgreSQL, microseconds since 1970 in SQLite.

use auric_time::Timestamp;
use chrono::{DateTime, Utc};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::sqlite::{SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Postgres, Sqlite, Type};

/// A column with a point in time, the same in the code of both stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DbTime(pub Timestamp);

impl Type<Postgres> for DbTime {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for DbTime {
    fn array_type_info() -> PgTypeInfo {
        <DateTime<Utc> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for DbTime {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <DateTime<Utc> as Encode<'_, Postgres>>::encode_by_ref(&self.0.into(), buffer)
    }
}

impl<'row> Decode<'row, Postgres> for DbTime {
    fn decode(value: PgValueRef<'row>) -> Result<Self, BoxDynError> {
        Ok(Self(<DateTime<Utc> as Decode<'row, Postgres>>::decode(value)?.into()))
    }
}

impl Type<Sqlite> for DbTime {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
}

impl<'row> Decode<'row, Sqlite> for DbTime {
    fn decode(value: SqliteValueRef<'row>) -> Result<Self, BoxDynError> {
        Ok(Self(Timestamp::from_micros(<i64 as Decode<'row, Sqlite>>::decode(value)?)))
    }
}
